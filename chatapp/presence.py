"""Who is in which room, by name, and how that is told: one by one, or in a crowd as a count."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
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


class Absence:
    """The rooms in which a name is listed while no connection of its owner is there."""

    __slots__ = ("rooms", "user")

    def __init__(self, user: str, rooms: Iterable[str]) -> None:
        self.user = user
        self.rooms = set(rooms)


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
        self._absences: dict[str, Absence] = {}

    def enter(self, room: str, user: str, client: str) -> None:
        """`user` is in `room` from now on; unless it was listed there already, all but `client`
        (its own connection) are told."""
        with self._lock:
            if absence := self._absences.get(user):
                absence.rooms.discard(room)
            if room in self._rooms_of.get(user, ()):
                return
            names = self._list(room, user)
        self._announce(room, names, "userJoined", {"room": room, "user": user}, client)

    def leave(self, room: str, user: str, client: str) -> None:
        """`user` has left `room`; all but `client` are told."""
        with self._lock:
            if absence := self._absences.get(user):
                absence.rooms.discard(room)
            names = self._strike(room, user)
        self._announce(room, names, "userLeft", {"room": room, "user": user}, client)

    def depart(self, user: str, client: str) -> None:
        """`user` has left all its rooms; all but `client` are told."""
        for room in self.rooms_of(user):
            self.leave(room, user, client)

    def be_absent(self, user: str, rooms: Iterable[str] = ()) -> Absence:
        """`user` stays listed in its rooms, and in `rooms`, until it's back in them or has given
        them up; nobody is told."""
        with self._lock:
            for room in rooms:
                self._list(room, user)
            absence = self._absences[user] = Absence(user, self._rooms_of.get(user, ()))
        return absence

    def give_up(self, absence: Absence) -> None:
        """The user has left the rooms in which it still is absent; those in them are told."""
        with self._lock:
            if self._absences.get(absence.user) is not absence:
                return
            user = self._absences.pop(absence.user).user
            left = [(room, self._strike(room, user)) for room in absence.rooms]
        for room, names in left:
            self._announce(room, names, "userLeft", {"room": room, "user": user}, "")

    def rename(self, before: str, after: str, client: str) -> None:
        """`before` is called `after` in all its rooms; all but `client` are told.

        Where `after` is listed already, its owner is back, and `before` has left.
        """
        changes = []
        with self._lock:
            for room in sorted(self._rooms_of.get(before, ())):
                is_listed = room in self._rooms_of.get(after, ())
                names = self._strike(room, before)
                if is_listed:
                    changes.append((room, names, "userLeft", {"room": room, "user": before}))
                else:
                    names = self._list(room, after)
                    renamed = {"room": room, "from": before, "to": after}
                    changes.append((room, names, "userRenamed", renamed))
            self._move_absence(before, after, {change[0] for change in changes})
        for change in changes:
            self._announce(*change, client)

    def _move_absence(self, before: str, after: str, rooms: set[str]) -> None:
        absent, awaited = self._absences.pop(before, None), self._absences.get(after)
        if awaited:
            awaited.rooms -= rooms - (absent.rooms if absent else set())
            awaited.rooms |= absent.rooms if absent else set()
        elif absent:
            absent.user = after
            self._absences[after] = absent

    def tell_others(self, room: str, event: str, change: dict[str, str], client: str) -> None:
        """All in `room` but for `client` hear `event`, unless it's a crowd."""
        with self._lock:
            names = self._rooms.get(room)
        if names and len(names.sorted) <= CROWD:
            self._tell(room, event, change, skip=client)

    def rooms_of(self, user: str) -> list[str]:
        with self._lock:
            return sorted(self._rooms_of.get(user, ()))

    def _list(self, room: str, user: str) -> _Names:
        names = self._rooms.setdefault(room, _Names())
        names.add(user)
        self._rooms_of.setdefault(user, set()).add(room)
        return names

    def _strike(self, room: str, user: str) -> _Names:
        names = self._rooms[room]
        names.remove(user)
        if not names.sorted:
            del self._rooms[room]
        self._rooms_of[user].discard(room)
        if not self._rooms_of[user]:
            del self._rooms_of[user]
        return names

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
