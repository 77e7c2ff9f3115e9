"""Give `gunicorn wsgi:app` the settings of chatapp.serve, as `make run` has them."""

from chatapp.serve import *  # noqa: F403
