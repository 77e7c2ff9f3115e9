"""Log: the contract that every store keeps. The log is the truth; all else is a hint."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec

from chatapp.chat.people.holds import Hold

logger = logging.getLogger(__name__)

MAX_READ_BYTES = 65536
"""What one read gives at most, as the JSON list that travels, in UTF-8 (docs/wire.md)."""


DAY = 86_400_000  # ms


class Draft(msgspec.Struct, frozen=True):
    """A message that has no number yet. `key` is the client's own name for it, or empty; `holder`:
    the connection that has the name `user`, or empty, for stores that see to it that it still
    has."""

    room: str
    user: str
    message: str
    key: str = ""
    holder: str = ""


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


class Retention(NamedTuple):
    """What is kept of each room: the newest `messages`, for `days` each; 0: no limit."""

    messages: int = 10_000
    days: float = 30

    def expired_up_to(self, newest: int) -> int:
        """The number up to which messages aren't kept, in a room whose newest is `newest`."""
        return max(0, newest - self.messages) if self.messages else 0

    def cutoff(self, now: int) -> int:
        """The time before which messages aren't kept; both in ms since 1970."""
        return now - int(self.days * DAY) if self.days else 0


DEFAULT_RETENTION = Retention()


class Page(msgspec.Struct, frozen=True):
    """Entries, oldest first, whether there are others in the direction that was asked for, and the
    epoch in which they were read."""

    entries: list[Entry]
    more: bool
    epoch: str


Deliver = Callable[[Sequence[Entry]], None]


class Log(ABC):
    """The messages of each room, numbered 1, 2, 3, … without gaps.

    All methods may be called from any thread or greenlet.
    """

    waits: ClassVar[bool]
    """Whether `append` waits for something."""

    @property
    @abstractmethod
    def epoch(self) -> str:
        """An opaque string that names this numbering, the same for all rooms."""

    def __init__(self) -> None:
        self._subscribers: list[Deliver] = []
        self._wants: list[Callable[[str], bool]] = []
        self._reset_callbacks: list[Callable[[], None]] = []

    @abstractmethod
    def open(self) -> None:
        """Make it ready for use, where its first use isn't to wait for that.

        Raises:
            StoreError: it can't be used.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish what was accepted, and let go of it; whoever appends later gets Unavailable."""

    @abstractmethod
    def append(self, draft: Draft) -> Entry:
        """Number `draft`, keep it, hand it to the followers, and return it, in this order.

        The same `(room, user, key)` again, users compared as names are, appends nothing and
        returns the first entry, for as long as that is kept. Within a room `at` never goes
        backwards.

        Raises:
            Unavailable: the store can't take it now; nothing was acknowledged.
            NameLost: the draft's holder has its name no longer.
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

    def holds(self) -> Sequence[Hold]:
        """Names that were to be held when the process ended: none where the log isn't durable."""
        return []

    def keep_hold(self, hold: Hold | None, instead_of: Collection[Hold]) -> None:  # noqa: B027 (nothing is kept where it isn't durable)
        """Keep `hold`, if there is one, in place of others, in one step.

        Raises:
            Unavailable: the store can't take it now; nothing has changed.
        """

    def subscribe_room(self, room: str) -> None:  # noqa: B027 (where nobody else appends)
        """Have what other processes append to `room` delivered too, from now on and for as long as
        somebody wants it. Whoever reads the log once this returns misses nothing between."""

    def subscribe(self, deliver: Deliver, wants: Callable[[str], bool] = lambda _: True) -> None:
        """Have `deliver` called once for each batch of entries, in the order of their numbers,
        before `append` returns. One that raises harms nobody else. `wants(room)`: whether anybody
        wants of that room by it."""
        self._subscribers.append(deliver)
        self._wants.append(wants)

    def on_reset(self, call: Callable[[], None]) -> None:
        """Have `call()` called where what clients know holds no longer, as in a new epoch."""
        self._reset_callbacks.append(call)

    def reset(self) -> None:
        """What clients know holds no longer."""
        for call in self._reset_callbacks:
            call()

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for deliver in self._subscribers:
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
