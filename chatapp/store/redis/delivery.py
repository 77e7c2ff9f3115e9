"""What this process has told of each room that it hears: the numbers in order, without gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Lock

from chatapp.chat.log import Entry
from chatapp.errors import Unavailable


class OrderedDelivery:
    """Tells what is heard of rooms, from any number of threads, in any order and more than once.

    `read(room, since, until)` gives the entries between two numbers, where others were heard first,
    or raises Unavailable; `deliver(entries)` tells them. That one room can't be read says nothing
    about the others.
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
        """Tell what `room` says, from what is heard first or reached on."""
        self._positions.setdefault(room, _Position())

    def has_started(self, room: str) -> bool:
        """Whether something of it was heard or reached."""
        position = self._positions.get(room)
        return position is not None and position.delivered is not None

    def restart(self, newest: dict[str, int | None]) -> None:
        """The numbers are others: tell of each room what comes after its newest one; None: after
        what is heard of it first."""
        for room, number in newest.items():
            self._positions[room] = _Position(number)

    def stop(self, room: str) -> None:
        self._positions.pop(room, None)

    def __contains__(self, room: str) -> bool:
        return room in self._positions

    def delivered(self) -> dict[str, int]:
        """The newest number of each room that has been told."""
        return {room: position.delivered or 0 for room, position in list(self._positions.items())}

    def last_delivered(self, room: str) -> int:
        position = self._positions.get(room)
        return (position.delivered or 0) if position else 0

    def on_local(self, entries: Sequence[Entry]) -> list[Entry]:
        """These were appended here, and are told even where nobody hears their room: those that
        couldn't be told, as what was said before them can't be read now. They are told later."""
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
        """This was heard; what was said before it is told first."""
        position = self._positions.get(entry.room)
        if position is None:
            return
        with position.lock:
            delivered = entry.id - 1 if position.delivered is None else position.delivered
            if entry.id > delivered + 1:
                self._catch_up(position, entry.room, delivered, entry.id - 1)
            if entry.id > delivered:
                position.delivered = entry.id
                self._deliver([entry])

    def catch_up_to(self, room: str, newest: int) -> bool:
        """`room` has said so much: tell what is missing; whether something was."""
        position = self._positions.get(room)
        if position is None:
            return False
        with position.lock:
            if position.delivered is None:
                position.delivered = newest
            behind = newest > position.delivered
            if behind:
                self._catch_up(position, room, position.delivered, newest)
        return behind

    def _catch_up(self, position: _Position, room: str, since: int, until: int) -> None:
        for entry in self._read(room, since, until):
            position.delivered = entry.id
            self._deliver([entry])
        position.delivered = until  # what retention has taken can't be told


class _Position:
    __slots__ = ("delivered", "lock")

    def __init__(self, delivered: int | None = None) -> None:
        self.delivered = delivered  # None: nothing yet
        self.lock = Lock()
