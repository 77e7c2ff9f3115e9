"""The chat for a WSGI server: `gunicorn wsgi:app`, or `flask run`."""

import atexit
import sys

from chatapp import create_app
from chatapp.config import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(str(error))
socketio = app.extensions["socketio"]
atexit.register(socketio.server.eio.stop)  # `flask run` has no hook of its own for Ctrl-C
