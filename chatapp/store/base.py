"""Log: the contract that every store keeps. The log is the truth; all else is a hint."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

logger = logging.getLogger(__name__)

MAX_READ_BYTES = 65536
"""What one read gives at most, as the JSON list that travels, in UTF-8 (docs/wire.md)."""


class Draft(msgspec.Struct, frozen=True):
    """A message that has no number yet. `key` is the client's own name for it, or empty."""

    room: str
    user: str
    message: str
    key: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A message of the log: the `id`-th of its room, at `at` ms since 1970-01-01T00:00Z."""

    room: str
    id: int
    at: int
    user: str
    message: str
    key: str = ""

    def arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """`newmsg`'s two arguments; the first is exactly what the oldest clients know."""
        number: dict[str, Any] = {"room": self.room, "id": self.id, "at": self.at}
        if self.key:
            number["key"] = self.key
        return {"user": self.user, "message": self.message}, number


class Page(msgspec.Struct, frozen=True):
    """Entries, oldest first, and whether there are others in the direction that was asked for."""

    entries: list[Entry]
    more: bool


Deliver = Callable[[Sequence[Entry]], None]


class Log(ABC):
    """The messages of each room, numbered 1, 2, 3, … without gaps.

    `epoch` is an opaque string that names this numbering, the same for all rooms.
    All methods may be called from any thread or greenlet.
    """

    epoch: str

    def __init__(self) -> None:
        self._followers: list[Deliver] = []

    @abstractmethod
    def append(self, draft: Draft) -> Entry:
        """Number `draft`, keep it, hand it to the followers, and return it, in this order.

        The same `(room, user, key)` again, users compared as names are, appends nothing and
        returns the first entry, for as long as that is kept. Within a room `at` never goes
        backwards.

        Raises:
            Unavailable: the store can't take it now; nothing was acknowledged.
        """

    @abstractmethod
    def find(self, room: str, user: str, key: str) -> Entry | None:
        """The entry that `user` appended to `room` under `key`; None if it isn't kept."""

    @abstractmethod
    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        """At most `limit` entries of `room`, and at most MAX_READ_BYTES unless one alone is larger.

        `since`: those after that number, from the oldest kept on. `before`: the last ones before
        it. Neither: the newest ones. Not both.
        """

    @abstractmethod
    def available(self) -> bool:
        """Whether the store takes messages now."""

    def follow(self, deliver: Deliver) -> None:
        """Have `deliver` called once for each batch of entries, in the order of their numbers,
        before `append` returns. One that raises harms nobody else."""
        self._followers.append(deliver)

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for deliver in self._followers:
            try:
                deliver(batch)
            except Exception:
                logger.exception("a follower of the log failed")


def bounded(entries: Iterable[Entry], limit: int) -> tuple[list[Entry], bool]:
    """Entries as long as they fit one read, in their order, and whether some were left out."""
    taken: list[Entry] = []
    size = len("[]")
    for entry in entries:
        size += len(msgspec.json.encode(entry.arguments())) + len(",")
        if len(taken) == limit or (taken and size - len(",") > MAX_READ_BYTES):
            return taken, True
        taken.append(entry)
    return taken, False
