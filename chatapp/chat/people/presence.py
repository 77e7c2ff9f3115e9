"""Who is in which room, by name, and how that is told: one by one, or in a crowd as a count."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic

from chatapp.chat.people.crowd import CROWD, Announcer, Later, Tell


class Absence:
    """The time that a name waits, in the rooms where it is listed, for its owner to be back."""

    __slots__ = ("user",)

    def __init__(self, user: str) -> None:
        self.user = user


class Presence:
    """The names in each room, kept sorted without case.

    `interval`: a crowd's count is told at most once in so many seconds. Thread-safe; changes are
    told in their order. Whoever changes a name's whereabouts does so alone (UsernameSet.changing).
    """

    def __init__(
        self,
        tell: Tell,
        later: Later,
        interval: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._announcer = Announcer(tell, later, interval, clock)
        self._lock = Lock()
        self._rooms: dict[str, _Names] = {}
        # Where each name is listed, and whether that's only until an absence is given up.
        self._rooms_of: dict[str, dict[str, Absence | None]] = {}

    def enter(self, room: str, user: str, client: str) -> None:
        """`user` is in `room` from now on; unless it was listed there already, all but `client`
        (its own connection) are told."""
        with self._lock:
            if room in self._rooms_of.get(user, ()):
                self._rooms_of[user][room] = None
                return
            names = self._list(room, user, None)
            self._announce(room, names, "userJoined", {"room": room, "user": user}, client)

    def leave(self, room: str, user: str, client: str) -> None:
        """`user` has left `room`; all but `client` are told."""
        with self._lock:
            self._leave(room, user, client)

    def depart(self, user: str, client: str) -> None:
        """`user` has left all its rooms; all but `client` are told."""
        with self._lock:
            for room in sorted(self._rooms_of.get(user, ())):
                self._leave(room, user, client)

    def be_absent(self, user: str, rooms: Iterable[str] = ()) -> Absence:
        """`user` stays listed where it was by now, and in `rooms`, until it's back there or has
        given up; nobody is told."""
        absence = Absence(user)
        with self._lock:
            for room in rooms:
                self._list(room, user, None)
            listed = self._rooms_of.get(user, {})
            for room, absent in listed.items():
                listed[room] = absent or absence
        return absence

    def give_up(self, absence: Absence) -> None:
        """The user has left the rooms to which it hasn't come back; those in them are told."""
        with self._lock:
            rooms = self._rooms_of.get(absence.user, {})
            for room in sorted(room for room, since in rooms.items() if since is absence):
                self._leave(room, absence.user, "")

    def rename(self, before: str, after: str, client: str) -> None:
        """`before` is called `after` in all its rooms; all but `client` are told.

        Where `after` is listed already, its owner is back, and `before` has left.
        """
        with self._lock:
            listed = self._rooms_of.get(after, {})
            for room, absence in sorted(self._rooms_of.get(before, {}).items()):
                if room in listed:
                    if absence is None:
                        listed[room] = None
                    self._leave(room, before, client)
                    continue
                self._strike(room, before)
                names = self._list(room, after, absence)
                renamed = {"room": room, "from": before, "to": after}
                self._announce(room, names, "userRenamed", renamed, client)
                if absence:
                    absence.user = after

    def is_crowd(self, room: str) -> bool:
        """Return whether `room` has more than CROWD names."""
        with self._lock:
            names = self._rooms.get(room)
            return names is not None and len(names.sorted) > CROWD

    def rooms_of(self, user: str) -> list[str]:
        with self._lock:
            return sorted(self._rooms_of.get(user, ()))

    def users(self, room: str) -> tuple[int, list[str]]:
        """How many names are in `room`, and the first CROWD of them, sorted without case."""
        with self._lock:
            names = self._rooms.get(room)
            if names is None:
                return 0, []
            return len(names.sorted), [name for _, name in names.sorted[:CROWD]]

    def _list(self, room: str, user: str, absence: Absence | None) -> _Names:
        names = self._rooms.setdefault(room, _Names())
        names.add(user)
        self._rooms_of.setdefault(user, {})[room] = absence
        return names

    def _strike(self, room: str, user: str) -> _Names:
        names = self._rooms[room]
        names.remove(user)
        if not names.sorted:
            del self._rooms[room]
        del self._rooms_of[user][room]
        if not self._rooms_of[user]:
            del self._rooms_of[user]
        return names

    def _leave(self, room: str, user: str, client: str) -> None:
        names = self._strike(room, user)
        self._announce(room, names, "userLeft", {"room": room, "user": user}, client)

    def _announce(
        self, room: str, names: _Names, event: str, change: dict[str, str], client: str
    ) -> None:
        self._announcer.announce(room, event, change, client, len(names.sorted))


class _Names:
    def __init__(self) -> None:
        self.sorted: list[tuple[str, str]] = []

    def add(self, user: str) -> None:
        insort(self.sorted, (user.casefold(), user))

    def remove(self, user: str) -> None:
        del self.sorted[bisect_left(self.sorted, (user.casefold(), user))]
