"""Which names are in which room, and the announcements that follow from changes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from threading import Lock

from chatapp.chat.people.crowd import MAX_LISTED, Announcer


class Absence:
    """The time in which a name stays listed although its client is disconnected."""

    __slots__ = ("user",)

    def __init__(self, user: str) -> None:
        self.user = user


class Presence:
    """The names in each room, sorted without case. Thread-safe.

    Changes are announced in their order. Lock a name before you change where it is listed
    (UsernameSet.changing).
    """

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer
        self._lock = Lock()
        self._rooms: dict[str, _Names] = {}
        # Where each name is listed, and the absence for which it is only listed, if any.
        self._rooms_of: dict[str, dict[str, Absence | None]] = {}

    def enter(self, room: str, user: str, client: str) -> None:
        """List `user` in `room`, and announce it to all but `client` if it was not listed."""
        with self._lock:
            if room in self._rooms_of.get(user, ()):
                self._rooms_of[user][room] = None
                return
            names = self._list(room, user, None)
            self._announce(room, names, "userJoined", {"room": room, "user": user}, client)

    def leave(self, room: str, user: str, client: str) -> None:
        """Remove `user` from `room`, and announce it to all but `client`."""
        with self._lock:
            self._leave(room, user, client)

    def leave_all(self, user: str, client: str) -> None:
        """Remove `user` from all its rooms, and announce it to all but `client`."""
        with self._lock:
            for room in sorted(self._rooms_of.get(user, ())):
                self._leave(room, user, client)

    def start_absence(self, user: str, rooms: Iterable[str] = ()) -> Absence:
        """Keep `user` listed where it is, and list it in `rooms`; announce nothing.

        The absence ends in each room that the user enters again, and in all by `end_absence`.
        """
        absence = Absence(user)
        with self._lock:
            for room in rooms:
                self._list(room, user, None)
            listed = self._rooms_of.get(user, {})
            for room, earlier in listed.items():
                listed[room] = earlier or absence
        return absence

    def end_absence(self, absence: Absence) -> None:
        """Remove the user from the rooms that it has not entered again, and announce it."""
        with self._lock:
            rooms = self._rooms_of.get(absence.user, {})
            for room in sorted(room for room, its in rooms.items() if its is absence):
                self._leave(room, absence.user, "")

    def rename(self, before: str, after: str, client: str) -> None:
        """Replace `before` by `after` in all its rooms, and announce it to all but `client`.

        Where `after` is listed already, its owner is back: there `before` leaves.
        """
        with self._lock:
            listed = self._rooms_of.get(after, {})
            for room, absence in sorted(self._rooms_of.get(before, {}).items()):
                if room in listed:
                    if absence is None:
                        listed[room] = None
                    self._leave(room, before, client)
                    continue
                self._unlist(room, before)
                names = self._list(room, after, absence)
                renamed = {"room": room, "from": before, "to": after}
                self._announce(room, names, "userRenamed", renamed, client)
                if absence:
                    absence.user = after

    def is_large(self, room: str) -> bool:
        """Return whether `room` has more than MAX_LISTED names."""
        with self._lock:
            names = self._rooms.get(room)
            return names is not None and len(names.sorted) > MAX_LISTED

    def rooms_of(self, user: str) -> list[str]:
        """Return the rooms in which `user` is listed, sorted."""
        with self._lock:
            return sorted(self._rooms_of.get(user, ()))

    def users(self, room: str) -> tuple[int, list[str]]:
        """Return how many names are in `room`, and the first MAX_LISTED of them."""
        with self._lock:
            names = self._rooms.get(room)
            if names is None:
                return 0, []
            return len(names.sorted), [name for _, name in names.sorted[:MAX_LISTED]]

    def _list(self, room: str, user: str, absence: Absence | None) -> _Names:
        names = self._rooms.setdefault(room, _Names())
        names.add(user)
        self._rooms_of.setdefault(user, {})[room] = absence
        return names

    def _unlist(self, room: str, user: str) -> _Names:
        names = self._rooms[room]
        names.remove(user)
        if not names.sorted:
            del self._rooms[room]
        del self._rooms_of[user][room]
        if not self._rooms_of[user]:
            del self._rooms_of[user]
        return names

    def _leave(self, room: str, user: str, client: str) -> None:
        names = self._unlist(room, user)
        self._announce(room, names, "userLeft", {"room": room, "user": user}, client)

    def _announce(
        self, room: str, names: _Names, event: str, change: dict[str, str], client: str
    ) -> None:
        self._announcer.announce(room, event, change, client, len(names.sorted))


class _Names:
    """Names sorted without case."""

    def __init__(self) -> None:
        self.sorted: list[tuple[str, str]] = []

    def add(self, user: str) -> None:
        insort(self.sorted, (user.casefold(), user))

    def remove(self, user: str) -> None:
        del self.sorted[bisect_left(self.sorted, (user.casefold(), user))]
