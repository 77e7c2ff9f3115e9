"""A chat over Socket.IO: `create_app` creates the Flask application that serves it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatapp.chat.people.usernames import UsernameSet
    from chatapp.factory import create_app
    from chatapp.web.namespace import ChatNamespace

__all__ = ["ChatNamespace", "UsernameSet", "create_app"]

HOMES = {
    "ChatNamespace": "chatapp.web.namespace",
    "UsernameSet": "chatapp.chat.people.usernames",
    "create_app": "chatapp.factory",
}
"""The modules that define what this package exports."""


def __getattr__(name: str) -> Any:
    """Import an export at its first use (PEP 562).

    gunicorn's master reads `chatapp.serve`, and so this package, before gevent has patched.
    """
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
