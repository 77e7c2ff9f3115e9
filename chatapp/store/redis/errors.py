"""Errors of Redis in words for the operator: what is wrong, and what to do about it."""

from __future__ import annotations

from urllib.parse import urlsplit

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from chatapp.errors import StoreError
from chatapp.store.redis.damage import DamagedKey, error_text


def redact(url: str) -> str:
    """Return the URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":…@", 1)


def store_error(url: str, error: RedisError) -> StoreError:
    """Return the error for the operator: one line that names the URL, the fault and the remedy."""
    text = error_text(error)
    match error:
        case AuthenticationError() | NoPermissionError():
            fault = f"requires another user or password ({text}); put them into CHATAPP_STORE"
        case OutOfMemoryError():
            fault = "is full; raise maxmemory in redis.conf, or keep less (CHATAPP_RETENTION_DAYS)"
        case ReadOnlyError():
            fault = "is a replica, which accepts no writes; set CHATAPP_STORE to its master"
        case BusyLoadingError():
            fault = "is still loading its data; wait until it has finished"
        case DamagedKey():
            fault = f"has a key that the chat can't use: {text}"
        case ResponseError() if text.startswith("MISCONF"):
            fault = f"can't write to its disk ({text}); free some space there"
        case ResponseError():
            fault = f"refuses commands ({text}); set CHATAPP_STORE to another database"
        case _:
            fault = f"can't be reached ({text}); start Redis there, or correct CHATAPP_STORE"
    return StoreError(f"{redact(url)} {fault}")
