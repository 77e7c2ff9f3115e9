"""The chat for a WSGI server: `gunicorn wsgi:app`, or `flask run`."""

import sys

from chatapp import create_app
from chatapp.config import SettingError

try:
    app = create_app()
except SettingError as error:
    sys.exit(str(error))
socketio = app.extensions["socketio"]
