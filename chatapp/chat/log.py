"""The log of messages: the contract that every store implements.

A message exists once the log has numbered it and kept it. Everything else that clients receive is a
hint. `tests/support/log_contract.py` tests this contract against each store.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec

from chatapp.chat.people.holds import Hold

logger = logging.getLogger(__name__)

MAX_READ_BYTES = 65536
"""Size of one page at most: its JSON list as sent, in UTF-8 (docs/wire.md, Catching up)."""

DAY = 86_400_000  # ms


class Draft(msgspec.Struct, frozen=True):
    """A message that has no number yet.

    `key` is the client's idempotency key, or empty. `holder` is the id of the connection that has
    the name `user`, or empty. A store that other processes share checks that it still has the name.
    """

    room: str
    user: str
    message: str
    key: str = ""
    holder: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A message of the log: number `id` of its room, at `at` ms since 1970-01-01T00:00Z."""

    room: str
    id: int
    at: int
    user: str
    message: str
    key: str = ""

    def arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the two arguments of `newmsg`; the oldest clients know only the first."""
        number: dict[str, Any] = {"room": self.room, "id": self.id, "at": self.at}
        if self.key:
            number["key"] = self.key
        return {"user": self.user, "message": self.message}, number


class Retention(NamedTuple):
    """How long each room's messages are kept.

    The newest `messages` of a room are kept, each for `days` days; 0 means no limit.
    """

    messages: int = 10_000
    days: float = 30

    def expired_up_to(self, newest: int) -> int:
        """Return the last number that has expired by count, if `newest` is the room's newest."""
        return max(0, newest - self.messages) if self.messages else 0

    def cutoff(self, now: int) -> int:
        """Return the time before which messages have expired; both in ms since 1970."""
        return now - int(self.days * DAY) if self.days else 0


DEFAULT_RETENTION = Retention()


class Page(msgspec.Struct, frozen=True):
    """One answer of `Log.read`.

    `entries` are in the order of their numbers. `more` says whether the room has others in the
    direction of the read. `epoch` is the one in which they were read.
    """

    entries: list[Entry]
    more: bool
    epoch: str


Deliver = Callable[[Sequence[Entry]], None]
"""Receives entries of any rooms; those of one room are in the order of their numbers."""


class Log(ABC):
    """The messages of all rooms, numbered 1, 2, 3, … in each room without gaps.

    All methods may be called from any thread or greenlet. A room exists without being created; one
    without messages is empty. Names of rooms are lower case (chat.rooms.ROOM).
    """

    waits: ClassVar[bool]
    """Whether `append` blocks, for the disk or the network."""

    @property
    @abstractmethod
    def epoch(self) -> str:
        """The name of this numbering: an opaque string, the same for all rooms.

        A log that loses messages starts a new epoch, so that no number means two messages.

        Raises:
            Unavailable: the store can't be opened now.
        """

    def __init__(self) -> None:
        self._subscribers: list[Deliver] = []
        self._wants: list[Callable[[str], bool]] = []
        self._reset_callbacks: list[Callable[[], None]] = []

    @abstractmethod
    def open(self) -> None:
        """Open the store now instead of at its first use. Opening it again does nothing.

        Raises:
            StoreError: it can't be used; the text says why and what to do.
        """

    @abstractmethod
    def close(self) -> None:
        """Write and deliver what was accepted, then release the store.

        Later appends raise Unavailable.
        """

    @abstractmethod
    def append(self, draft: Draft) -> Entry:
        """Append a message and return it once it is durable and delivered.

        The store does this in order:

        1. It numbers the draft: one more than the newest of its room. `at` is the store's time; if
           that went backwards, it is the previous message's.
        2. It keeps the entry (a store in memory only for the life of the process).
        3. It calls the subscribers, then returns.

        Appending is idempotent: the same `(room, user, key)` again appends nothing and returns the
        first entry for as long as that is kept. Users are compared by `canonical`. An
        empty key never matches.

        Raises:
            Unavailable: the store can't take it now. It may have been kept all the same if the
                store failed while writing; appending it again with its key is safe.
            Damaged: what the store keeps of this room can't be used; other rooms go on.
            NameLost: `draft.holder` no longer has its name. Nothing was appended.
        """

    @abstractmethod
    def find(self, room: str, user: str, key: str) -> Entry | None:
        """Return the entry that `user` appended to `room` with `key`; None if none is kept.

        Raises:
            Unavailable, Damaged: as `read`.
        """

    @abstractmethod
    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        """Return a page of `room`: at most `limit` entries, and at most MAX_READ_BYTES.

        A first entry that alone is larger than MAX_READ_BYTES is returned alone.

        `since`: the entries after this number, from the oldest kept on. `before`: the last entries
        before this number. Neither: the newest entries. Not both.

        Raises:
            Unavailable: the store can't be read now.
            Damaged: an entry on the page can't be read; other rooms go on.
        """

    @abstractmethod
    def available(self) -> bool:
        """Return whether the store takes messages now (`GET /readyz`)."""

    def holds(self) -> Sequence[Hold]:
        """Return the names that were held, or to be held, when the process ended.

        A store that isn't durable returns none. One that nodes share keeps names elsewhere.

        Raises:
            Unavailable: the store can't be read now.
        """
        return []

    def keep_hold(self, hold: Hold | None, instead_of: Collection[Hold]) -> None:  # noqa: B027 (a store that isn't durable keeps nothing)
        """Delete the holds `instead_of` and keep `hold`, if given, in one transaction.

        Raises:
            Unavailable: the store can't be written now; nothing has changed.
        """

    def subscribe_room(self, room: str) -> None:  # noqa: B027 (other processes append only to a shared store)
        """Deliver also what other processes append to `room`.

        Call this before `read`: each entry is then on the page, delivered, or both. The
        subscription ends by itself when no subscriber wants the room any more. Subscribing again
        does nothing.
        """

    def subscribe(self, deliver: Deliver, wants: Callable[[str], bool] = lambda _: True) -> None:
        """Call `deliver(entries)` with each new entry, once, before `append` returns.

        Entries of one room come in the order of their numbers. An exception in `deliver` is logged,
        and the other subscribers are called. `wants(room)` returns whether the subscriber has a
        recipient for what other processes append to the room.
        """
        self._subscribers.append(deliver)
        self._wants.append(wants)

    def on_reset(self, call: Callable[[], None]) -> None:
        """Call `call()` when the state that clients have is no longer valid, as in a new epoch."""
        self._reset_callbacks.append(call)

    def reset(self) -> None:
        """Run the callbacks of `on_reset`."""
        for call in self._reset_callbacks:
            call()

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for deliver in self._subscribers:
            try:
                deliver(batch)
            except Exception:
                logger.exception("a subscriber of the log failed")


def bounded(entries: Iterable[Entry], limit: int) -> tuple[list[Entry], bool]:
    """Take entries until a page is full; return them, and whether any were left.

    A page is full with `limit` entries or MAX_READ_BYTES. The first entry always fits.
    """
    taken: list[Entry] = []
    size = len("[]")
    for entry in entries:
        size += len(msgspec.json.encode(entry.arguments())) + len(",")
        if len(taken) == limit or (taken and size - len(",") > MAX_READ_BYTES):
            return taken, True
        taken.append(entry)
    return taken, False
