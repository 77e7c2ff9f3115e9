"""`gunicorn wsgi:app` serves as `make run` does: with the settings of chatapp.serve."""

from chatapp.serve import *  # noqa: F403
