"""What this process has told of each room that it hears: the numbers in order, without gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Lock

from chatapp.chat.log import Entry
from chatapp.errors import Unavailable


class Tails:
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
        self._tails: dict[str, _Tail] = {}

    def begin(self, room: str) -> None:
        """Tell what `room` says, from what is heard first or reached on."""
        self._tails.setdefault(room, _Tail())

    def has_begun(self, room: str) -> bool:
        """Whether something of it was heard or reached."""
        tail = self._tails.get(room)
        return tail is not None and tail.told is not None

    def begin_anew(self, newest: dict[str, int | None]) -> None:
        """The numbers are others: tell of each room what comes after its newest one; None: after
        what is heard of it first."""
        for room, number in newest.items():
            self._tails[room] = _Tail(number)

    def end(self, room: str) -> None:
        self._tails.pop(room, None)

    def __contains__(self, room: str) -> bool:
        return room in self._tails

    def told(self) -> dict[str, int]:
        """The newest number of each room that has been told."""
        return {room: tail.told or 0 for room, tail in list(self._tails.items())}

    def told_in(self, room: str) -> int:
        tail = self._tails.get(room)
        return (tail.told or 0) if tail else 0

    def said(self, entries: Sequence[Entry]) -> list[Entry]:
        """These were appended here, and are told even where nobody hears their room: those that
        couldn't be told, as what was said before them can't be read now. They are told later."""
        missed = []
        for entry in entries:
            try:
                if entry.room in self._tails:
                    self.heard(entry)
                else:
                    self._deliver([entry])
            except Unavailable:
                missed.append(entry)
        return missed

    def heard(self, entry: Entry) -> None:
        """This was heard; what was said before it is told first."""
        tail = self._tails.get(entry.room)
        if tail is None:
            return
        with tail.lock:
            told = entry.id - 1 if tail.told is None else tail.told
            if entry.id > told + 1:
                self._catch_up(tail, entry.room, told, entry.id - 1)
            if entry.id > told:
                tail.told = entry.id
                self._deliver([entry])

    def reach(self, room: str, newest: int) -> bool:
        """`room` has said so much: tell what is missing; whether something was."""
        tail = self._tails.get(room)
        if tail is None:
            return False
        with tail.lock:
            if tail.told is None:
                tail.told = newest
            behind = newest > tail.told
            if behind:
                self._catch_up(tail, room, tail.told, newest)
        return behind

    def _catch_up(self, tail: _Tail, room: str, since: int, until: int) -> None:
        for entry in self._read(room, since, until):
            tail.told = entry.id
            self._deliver([entry])
        tail.told = until  # what retention has taken can't be told


class _Tail:
    __slots__ = ("lock", "told")

    def __init__(self, told: int | None = None) -> None:
        self.told = told  # None: nothing yet
        self.lock = Lock()
