"""Putting a log that was exported into an empty file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import msgspec

from chatapp.chat.people.names import INPUT_BOUND, fold, present
from chatapp.errors import NameInvalid, StoreError
from chatapp.store.sqlite.database import FileLock, open_database, store_error
from chatapp.store.sqlite.lines import (
    FORMAT,
    AnyLine,
    EndLine,
    LogLine,
    LostLine,
    MessageLine,
    RoomLine,
)
from chatapp.store.sqlite.writer import INSERT, ROW, transaction

NOTHING_IMPORTED = "nothing was imported"


def import_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Fill the file at `path`, which is made or empty, with `lines`; how many messages these are.

    Raises:
        StoreError: it isn't empty, is served, or can't be written; or a line is wrong, which is
            named. Nothing has changed then.
    """
    lock = FileLock(path, patience=0)
    try:
        with closing(open_database(path)) as database:
            if database.execute("SELECT count(*) FROM rooms").fetchone() != (0,):
                raise StoreError(
                    f"{path} isn't empty; set CHATAPP_STORE to a file that isn't there"
                )
            try:
                with transaction(database):
                    return _fill(database, lines)
            except sqlite3.Error as error:
                raise store_error(path, error) from None
    finally:
        lock.release()


def _fill(database: sqlite3.Connection, lines: Iterable[bytes]) -> int:
    decoder = msgspec.json.Decoder(AnyLine)
    order = _LineOrder()
    number = 0
    for number, text in enumerate(lines, 1):
        try:
            line = decoder.decode(text)
            order.check(line)
            _insert(database, line, order.rooms)
        except sqlite3.IntegrityError:
            raise StoreError(
                f"line {number}: its key was there already; {NOTHING_IMPORTED}"
            ) from None
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise StoreError(f"line {number}: {error}; {NOTHING_IMPORTED}") from None
    if not order.ended:
        raise StoreError(f"line {number + 1}: it's missing, as the end is; {NOTHING_IMPORTED}")
    return order.messages


def _insert(database: sqlite3.Connection, line: AnyLine, room: int) -> None:
    if isinstance(line, LogLine):
        database.execute("UPDATE store SET epoch = ?", (line.epoch,))
    elif isinstance(line, RoomLine):
        values = (room, line.room, line.newest, line.at)
        database.execute("INSERT INTO rooms VALUES (?, ?, ?, ?)", values)
    elif isinstance(line, MessageLine):
        folded = fold(line.user) if line.key else None
        said = (line.user, line.message, folded, line.key or None)
        database.execute(INSERT + ROW, (room, line.id, line.at, *said))


class _LineOrder:
    """What may follow what: no number is missing but those that are said to be lost."""

    def __init__(self) -> None:
        self.rooms = 0
        self.messages = 0
        self.ended = False
        self._began = False
        self._names: set[str] = set()
        self._room = RoomLine("", 0, 0)
        self._last = 0  # number of the message before; 0: none of this room yet
        self._at = 0

    def check(self, line: AnyLine) -> None:
        """Take the next line.

        Raises:
            ValueError: it can't follow what was before it.
        """
        if self.ended:
            raise ValueError("there was an end already")
        if isinstance(line, LogLine) == self._began:
            raise ValueError("the line of the kind log comes first, and once")
        if isinstance(line, LogLine):
            if line.format != FORMAT:
                raise ValueError(f"of format {line.format}, not {FORMAT}")
            self._began = True
        elif isinstance(line, RoomLine):
            self._begin_room(line)
        elif isinstance(line, EndLine):
            self._end_room()
            if line.messages != self.messages:
                raise ValueError(
                    f"it ends {line.messages} messages, and there were {self.messages}"
                )
            self.ended = True
        elif line.room != self._room.room:
            raise ValueError(f"no line of the kind room for {line.room!r} right before")
        elif isinstance(line, LostLine):
            self._number(line.first, line.last)
        else:
            self._number(line.id, line.id)
            if not self._at <= line.at <= self._room.at:
                raise ValueError("its time is before the last message's, or after its room's")
            if not is_display_form(line.user):
                raise ValueError(f"{line.user!a} isn't a name as it is shown")
            self._at = line.at
            self.messages += 1

    def _begin_room(self, room: RoomLine) -> None:
        self._end_room()
        if room.room in self._names:
            raise ValueError(f"the room {room.room!r} was there already")
        self.rooms += 1
        self._names.add(room.room)
        self._room = room
        self._last = self._at = 0

    def _end_room(self) -> None:
        if self._last and self._last != self._room.newest:
            room = self._room
            raise ValueError(f"{room.room!r} ended at {self._last}, and not at {room.newest}")

    def _number(self, first: int, last: int) -> None:
        if not first <= last <= self._room.newest:
            raise ValueError(f"the number {last} isn't one of the room's")
        if self._last and first != self._last + 1:
            raise ValueError(f"the number {first} after {self._last}")
        self._last = last


@lru_cache(maxsize=4096)
def is_display_form(user: str) -> bool:
    """Whether a server, whatever its settings, may have written `user` as somebody's name."""
    try:
        return present(user, INPUT_BOUND) == user
    except NameInvalid:
        return False
