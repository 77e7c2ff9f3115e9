"""The WSGI application, for `gunicorn wsgi:app` and `flask run`."""

import atexit
import sys

from chatapp import create_app
from chatapp.config import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(str(error))
socketio = app.extensions["socketio"]
atexit.register(socketio.server.eio.stop)  # `flask run` has no hook for Ctrl-C
