"""Who is in which room, by name, and how that is told: one by one, or in a crowd as a count."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

CROWD = 200
"""A room of more names tells its count only (docs/wire.md, People)."""

Tell = Callable[..., None]
"""`tell(room, event, *arguments, skip=client)`: everyone in the room hears it, but for `skip`."""
Later = Callable[[float, Callable[[], Any]], Any]
"""`later(seconds, call)`: have `call` called that much later, from any thread or greenlet."""


class Presence:
    """The names in each room, kept sorted without case.

    `interval`: a crowd's count is told at most once in so many seconds. Thread-safe.
    """

    def __init__(
        self,
        tell: Tell,
        later: Later,
        interval: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._tell = tell
        self._later = later
        self._interval = interval
        self._clock = clock
        self._lock = Lock()
        self._rooms: dict[str, _Names] = {}
        self._rooms_of: dict[str, set[str]] = {}

    def enter(self, room: str, user: str, client: str) -> None:
        """`user` is in `room` from now on; all but `client` (its own connection) are told."""
        with self._lock:
            names = self._rooms.setdefault(room, _Names())
            names.add(user)
            self._rooms_of.setdefault(user, set()).add(room)
        self._announce(room, names, "userJoined", {"room": room, "user": user}, client)

    def depart(self, user: str, client: str) -> None:
        """`user` has left all its rooms; all but `client` are told."""
        with self._lock:
            rooms = [(room, self._rooms[room]) for room in self._rooms_of.pop(user, ())]
            for room, names in rooms:
                names.remove(user)
                if not names.sorted:
                    del self._rooms[room]
        for room, names in rooms:
            self._announce(room, names, "userLeft", {"room": room, "user": user}, client)

    def rename(self, before: str, after: str, client: str) -> None:
        """`before` is called `after` in all its rooms; all but `client` are told."""
        with self._lock:
            self._rooms_of[after] = self._rooms_of.pop(before)
            rooms = [(room, self._rooms[room]) for room in self._rooms_of[after]]
            for _, names in rooms:
                names.remove(before)
                names.add(after)
        for room, names in rooms:
            renamed = {"room": room, "from": before, "to": after}
            self._announce(room, names, "userRenamed", renamed, client)

    def users(self, room: str) -> tuple[int, list[str]]:
        """How many names are in `room`, and the first CROWD of them, sorted without case."""
        with self._lock:
            names = self._rooms.get(room)
            if names is None:
                return 0, []
            return len(names.sorted), [name for _, name in names.sorted[:CROWD]]

    def _announce(
        self, room: str, names: _Names, event: str, change: dict[str, str], client: str
    ) -> None:
        if len(names.sorted) <= CROWD:
            self._tell(room, event, change, skip=client)
            return
        with self._lock:
            if names.waiting:
                return
            names.waiting = True
            wait = names.told + self._interval - self._clock()
        if wait > 0:
            self._later(wait, partial(self._tell_count, room, names))
        else:
            self._tell_count(room, names)

    def _tell_count(self, room: str, names: _Names) -> None:
        with self._lock:
            names.waiting = False
            names.told = self._clock()
        self._tell(room, "presence", {"room": room, "count": self.users(room)[0]})


class _Names:
    def __init__(self) -> None:
        self.sorted: list[tuple[str, str]] = []
        self.told = float("-inf")
        self.waiting = False

    def add(self, user: str) -> None:
        insort(self.sorted, (user.casefold(), user))

    def remove(self, user: str) -> None:
        del self.sorted[bisect_left(self.sorted, (user.casefold(), user))]
