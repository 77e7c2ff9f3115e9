"""Tells an error of Redis as a whole from the damage of one key.

- Redis as a whole can't be used if it doesn't answer, is full, is loading, is a replica, or refuses
  commands. Nothing is requested from it until it answers again.
- One key is damaged if it has a wrong type, or a field of it can't be parsed. The room or name that
  needs this key is unavailable. Everything else goes on.
- SHARED_KEYS are needed for every message. If one has a wrong type, that counts as an error of
  Redis. A field of one belongs to a room or a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AskError,
    AuthenticationWrongNumberOfArgsError,
    ClusterCrossSlotError,
    ClusterError,
    DataError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from chatapp.store.redis.scripts import EPOCH, NAMES, NEWEST, NODES

SHARED_KEYS = (EPOCH, NEWEST, NAMES, NODES)
SERVER_ERRORS = (
    AskError,
    AuthenticationWrongNumberOfArgsError,
    ClusterCrossSlotError,
    ClusterError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
"""Answers that concern Redis as a whole."""
SERVER_ERROR_PREFIXES = ("MISCONF ", "BUSY ", "NOREPLICAS ", "UNKILLABLE ")
"""More of them, for which the client library has no class."""
SCRIPT_LOCATION = " script: "
"""Follows the text of an error that was raised in a script; the rest says where."""
DAMAGE_PREFIX = "DAMAGED "
"""Begins the error by which a script reports damage (common.lua)."""


class DamagedKey(RedisError):
    """The content of one key isn't what the chat writes there.

    `command` is the one for redis-cli that shows it, `fault` says in words what is wrong. Both are
    logged, so neither contains text that a client chose, except for a room's name.
    """

    def __init__(self, command: str, fault: str) -> None:
        super().__init__(
            f"{fault}; look at it with `redis-cli {command}`, then delete or restore it"
        )
        self.command = command

    @property
    def is_shared(self) -> bool:
        """Whether all messages need this key."""
        return self.command in [type_command(key) for key in SHARED_KEYS]


def type_command(key: str) -> str:
    return f"TYPE {key}"


def wrong_type_error(key: str) -> DamagedKey:
    return DamagedKey(type_command(key), f"{key} has a type that the chat never uses there")


def parse_damage(text: str) -> DamagedKey:
    """Return the damage that a script reports as `command | fault`."""
    command, _, fault = text.partition(" | ")
    return DamagedKey(command, fault)


def error_text(error: RedisError) -> str:
    """Return the text of an error without arguments, which a client may have chosen."""
    return str(error).partition(SCRIPT_LOCATION)[0].partition(", with args")[0]


def classify_call_error(error: RedisError, keys: list[str]) -> RedisError:
    """Return the error of one script call: a DamagedKey, unless Redis as a whole is concerned.

    `keys` are those of the call. The first one is blamed if the script failed without saying why.
    """
    text = error_text(error)
    if text.startswith(DAMAGE_PREFIX):
        return parse_damage(text.removeprefix(DAMAGE_PREFIX))
    if not isinstance(error, (ResponseError, DataError)) or isinstance(error, SERVER_ERRORS):
        return error
    if text.startswith(SERVER_ERROR_PREFIXES) or SCRIPT_LOCATION not in str(error):
        return error
    command = type_command(keys[0]) if keys else f"HLEN {NAMES}"
    return DamagedKey(command, f"a script over {keys[0] if keys else NAMES} failed ({text})")


@contextmanager
def reading_key(key: str) -> Iterator[None]:
    """Run a command that reads `key` alone.

    Raises:
        DamagedKey: it has a wrong type.
    """
    try:
        yield
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        raise wrong_type_error(key) from None
