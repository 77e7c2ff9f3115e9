"""Delivers each room's entries once and in order, in whatever order they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Lock

from chatapp.chat.log import Entry
from chatapp.errors import Unavailable


class OrderedDelivery:
    """Deliver entries in the order of their numbers, without gaps and duplicates. Thread-safe.

    - `read(room, since, until)` returns the entries after one number and up to another, to fill a
      gap. It may raise Unavailable; the gap is then filled later.
    - `deliver(entries)` delivers them.

    Each room has a position: the number of the entry that was delivered last. A new one starts with
    the entry or number that arrives first.
    """

    def __init__(
        self,
        read: Callable[[str, int, int], Iterable[Entry]],
        deliver: Callable[[Sequence[Entry]], None],
    ) -> None:
        self._read = read
        self._deliver = deliver
        self._positions: dict[str, _Position] = {}

    def start(self, room: str) -> None:
        """Deliver the entries of `room` from now on. Starting it again does nothing."""
        self._positions.setdefault(room, _Position())

    def has_started(self, room: str) -> bool:
        """Return whether the room's position is known."""
        position = self._positions.get(room)
        return position is not None and position.delivered is not None

    def restart(self, newest: dict[str, int | None]) -> None:
        """Set the position of each room in a new epoch; None: with what arrives first."""
        for room, number in newest.items():
            self._positions[room] = _Position(number)

    def stop(self, room: str) -> None:
        self._positions.pop(room, None)

    def __contains__(self, room: str) -> bool:
        return room in self._positions

    def delivered(self) -> dict[str, int]:
        """Return the number that was delivered last in each room; 0 for none."""
        return {room: position.delivered or 0 for room, position in list(self._positions.items())}

    def last_delivered(self, room: str) -> int:
        position = self._positions.get(room)
        return (position.delivered or 0) if position else 0

    def on_local(self, entries: Sequence[Entry]) -> list[Entry]:
        """Deliver entries that this node appended, also of rooms that weren't started.

        Return those that can't be delivered now, as the gap before them can't be read. They are
        delivered later.
        """
        missed = []
        for entry in entries:
            try:
                if entry.room in self._positions:
                    self.on_entry(entry)
                else:
                    self._deliver([entry])
            except Unavailable:
                missed.append(entry)
        return missed

    def on_entry(self, entry: Entry) -> None:
        """Deliver an entry that arrived, after those that are missing before it."""
        position = self._positions.get(entry.room)
        if position is None:
            return
        with position.lock:
            delivered = entry.id - 1 if position.delivered is None else position.delivered
            if entry.id > delivered + 1:
                self._fill_gap(position, entry.room, delivered, entry.id - 1)
            if entry.id > delivered:
                position.delivered = entry.id
                self._deliver([entry])

    def catch_up_to(self, room: str, newest: int) -> bool:
        """Deliver what is missing up to the room's newest number; return whether any was."""
        position = self._positions.get(room)
        if position is None:
            return False
        with position.lock:
            if position.delivered is None:
                position.delivered = newest
            is_behind = newest > position.delivered
            if is_behind:
                self._fill_gap(position, room, position.delivered, newest)
        return is_behind

    def _fill_gap(self, position: _Position, room: str, since: int, until: int) -> None:
        for entry in self._read(room, since, until):
            position.delivered = entry.id
            self._deliver([entry])
        position.delivered = until  # entries that have expired can't be delivered


class _Position:
    """The number that was delivered last in a room; None: none yet."""

    __slots__ = (
        "delivered",
        "lock",
    )

    def __init__(self, delivered: int | None = None) -> None:
        self.delivered = delivered
        self.lock = Lock()
