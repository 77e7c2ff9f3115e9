"""The part of a handshake's WSGI environ that is kept as long as its session."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

KEPT_KEYS = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "wsgi.url_scheme",
    "flask.app",
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "HTTP_COOKIE",
    "HTTP_AUTHORIZATION",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT_LANGUAGE",
)
"""What event handlers read, and what Flask needs for a request context."""
MAX_SHARED = 1024
"""Values that all sessions share, of those used last."""
MAX_SHARED_CHARS = 512
"""Characters of a shared value, a byte each (PEP 3333).

Most browsers' User-Agent has fewer than 300. So no more than 0.7 MB is kept of what clients sent.
"""


def kept_environ(environ: dict[str, Any]) -> dict[str, Any]:
    """Return the items of `environ` that are kept."""
    return {key: shared(environ[key]) for key in KEPT_KEYS if key in environ}


def shared(value: Any) -> Any:
    """Return `value`, or for a short string the object that all sessions share.

    A client's string is never interned: Python 3.12 never frees an interned string.
    """
    return _first(value) if type(value) is str and len(value) <= MAX_SHARED_CHARS else value


@lru_cache(MAX_SHARED)
def _first(value: str) -> str:
    """Return the first string of this value, while it is among the values used last."""
    return value
