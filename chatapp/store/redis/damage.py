"""Whether an error is that of Redis, or of one key.

- Redis as a whole can't be used: it doesn't answer, refuses the password, is full, is a replica,
  can't write to its disk, is loading or blocked, or the cluster around it is down. Until it answers
  again, nothing is asked of it.
- One key is damaged: it is of a wrong type, or a field of it can't be read. What needs that key is
  unavailable: a room, or a name. Everything else goes on.
- SHARED_KEYS are needed for every message. One that is of a wrong type counts as Redis's
  error. A field of one is a room's, or a name's.
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
"""Answers by which Redis as a whole can't be used."""
SERVER_ERROR_PREFIXES = ("MISCONF ", "BUSY ", "NOREPLICAS ", "UNKILLABLE ")
"""Others, for which the client library has no class."""
SCRIPT_LOCATION = " script: "
"""What follows on an error from within a script: where in it."""
DAMAGE_PREFIX = "DAMAGED "
"""What errors begin with by which a script tells of a key: then `command | wrong`."""


class DamagedKey(RedisError):
    """What is kept under one key isn't what the chat writes there.

    `command`: the one for redis-cli that shows it; `wrong`: what is wrong, in words. Both are
    logged, so neither may have a text that a client chose, except for a room's name.
    """

    def __init__(self, command: str, wrong: str) -> None:
        super().__init__(
            f"{wrong}; look at it with `redis-cli {command}`, then delete or restore it"
        )
        self.command = command

    @property
    def is_shared(self) -> bool:
        """Whether nothing can be said without that key."""
        return self.command in [type_command(key) for key in SHARED_KEYS]


def type_command(key: str) -> str:
    return f"TYPE {key}"


def wrong_type_error(key: str) -> DamagedKey:
    return DamagedKey(type_command(key), f"{key} is of a type that the chat doesn't use there")


def parse_note(note: str) -> DamagedKey:
    """What a script says of a key: `command | wrong`."""
    command, _, wrong = note.partition(" | ")
    return DamagedKey(command, wrong)


def error_text(error: RedisError) -> str:
    """What Redis says, without what a client may have chosen: the arguments of a command."""
    return str(error).partition(SCRIPT_LOCATION)[0].partition(", with args")[0]


def classify_call_error(error: RedisError, keys: list[str]) -> RedisError:
    """The error of a script that was called with `keys`: a DamagedKey if it's none of Redis's."""
    words = error_text(error)
    if words.startswith(DAMAGE_PREFIX):
        return parse_note(words.removeprefix(DAMAGE_PREFIX))
    if not isinstance(error, (ResponseError, DataError)) or isinstance(error, SERVER_ERRORS):
        return error
    if words.startswith(SERVER_ERROR_PREFIXES) or SCRIPT_LOCATION not in str(error):
        return error
    command = type_command(keys[0]) if keys else f"HLEN {NAMES}"
    return DamagedKey(command, f"a script over {keys[0] if keys else NAMES} failed ({words})")


@contextmanager
def reading_key(key: str) -> Iterator[None]:
    """Within it a command reads `key` alone.

    Raises:
        DamagedKey: it is of a wrong type.
    """
    try:
        yield
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        raise wrong_type_error(key) from None
