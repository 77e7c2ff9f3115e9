"""Imports an exported log into an empty file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import msgspec

from chatapp.chat.people.names import INPUT_BOUND, canonical, display_form
from chatapp.errors import NameInvalid, StoreError
from chatapp.store.sqlite.database import open_database, transaction
from chatapp.store.sqlite.errors import store_error
from chatapp.store.sqlite.lines import (
    FORMAT,
    AnyLine,
    EndLine,
    LogLine,
    LostLine,
    MessageLine,
    RoomLine,
)
from chatapp.store.sqlite.lock import FileLock
from chatapp.store.sqlite.rows import INSERT, ROW

NOTHING_IMPORTED = "nothing was imported"


def import_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Import `lines` into the file at `path` and return the number of messages.

    The file is created, or has to be empty. The import is one transaction.

    Raises:
        StoreError: the file isn't empty, is served, or can't be written; or a line is wrong, which
            the text names. Nothing has changed then.
    """
    lock = FileLock(path, patience=0)
    try:
        with closing(open_database(path)) as database:
            if database.execute("SELECT count(*) FROM rooms").fetchone() != (0,):
                raise StoreError(
                    f"{path} isn't empty; set CHATAPP_STORE to a file that doesn't exist"
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
                f"line {number}: an earlier message has the same key; {NOTHING_IMPORTED}"
            ) from None
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise StoreError(f"line {number}: {error}; {NOTHING_IMPORTED}") from None
    if not order.ended:
        raise StoreError(
            f"line {number + 1}: the line of the kind end is missing; {NOTHING_IMPORTED}"
        )
    return order.messages


def _insert(database: sqlite3.Connection, line: AnyLine, room: int) -> None:
    if isinstance(line, LogLine):
        database.execute("UPDATE store SET epoch = ?", (line.epoch,))
    elif isinstance(line, RoomLine):
        values = (room, line.room, line.newest, line.at)
        database.execute("INSERT INTO rooms VALUES (?, ?, ?, ?)", values)
    elif isinstance(line, MessageLine):
        folded = canonical(line.user) if line.key else None
        said = (line.user, line.message, folded, line.key or None)
        database.execute(INSERT + ROW, (room, line.id, line.at, *said))


class _LineOrder:
    """Check the order of lines, and that only numbers of `lost` lines are missing."""

    def __init__(self) -> None:
        self.rooms = 0
        self.messages = 0
        self.ended = False
        self._has_begun = False
        self._names: set[str] = set()
        self._room = RoomLine("", 0, 0)
        self._last = 0  # number of the last message; 0: the room has none yet
        self._at = 0  # its time, ms

    def check(self, line: AnyLine) -> None:
        """Take the next line.

        Raises:
            ValueError: it can't follow the lines before it.
        """
        if self.ended:
            raise ValueError("it follows the line of the kind end")
        if isinstance(line, LogLine) == self._has_begun:
            raise ValueError("a file has one line of the kind log, and that is the first one")
        match line:
            case LogLine():
                self._begin(line)
            case RoomLine():
                self._begin_room(line)
            case EndLine():
                self._end(line)
            case _:
                self._add(line)

    def _begin(self, line: LogLine) -> None:
        if line.format != FORMAT:
            raise ValueError(f"its format is {line.format} instead of {FORMAT}")
        self._has_begun = True

    def _begin_room(self, room: RoomLine) -> None:
        self._end_room()
        if room.room in self._names:
            raise ValueError(f"the room {room.room!r} occurs twice")
        self.rooms += 1
        self._names.add(room.room)
        self._room = room
        self._last = self._at = 0

    def _add(self, line: MessageLine | LostLine) -> None:
        if line.room != self._room.room:
            raise ValueError(f"the line of the kind room for {line.room!r} is missing before it")
        if isinstance(line, LostLine):
            self._check_numbers(line.first, line.last)
            return
        self._check_numbers(line.id, line.id)
        if not self._at <= line.at <= self._room.at:
            raise ValueError("its time is before the last message's, or after its room's")
        if not is_display_form(line.user):
            raise ValueError(f"{line.user!a} isn't the display form of a name")
        self._at = line.at
        self.messages += 1

    def _check_numbers(self, first: int, last: int) -> None:
        if not first <= last <= self._room.newest:
            raise ValueError(f"the number {last} isn't one of the room's")
        if self._last and first != self._last + 1:
            raise ValueError(f"the number {first} follows {self._last}")
        self._last = last

    def _end_room(self) -> None:
        if self._last and self._last != self._room.newest:
            room = self._room
            raise ValueError(f"{room.room!r} ended at {self._last} instead of {room.newest}")

    def _end(self, line: EndLine) -> None:
        self._end_room()
        if line.messages != self.messages:
            raise ValueError(
                f"it counts {line.messages} messages, but {self.messages} came before it"
            )
        self.ended = True


@lru_cache(maxsize=4096)
def is_display_form(user: str) -> bool:
    """Return whether a server, with any settings, may have written `user` as a name."""
    try:
        return display_form(user, INPUT_BOUND) == user
    except NameInvalid:
        return False
