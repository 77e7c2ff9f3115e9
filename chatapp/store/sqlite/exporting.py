"""Exports the log from a file, also from a damaged one and beside a running server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from chatapp.store.sqlite.database import open_read_only
from chatapp.store.sqlite.errors import DamagedRow, store_error
from chatapp.store.sqlite.lines import FORMAT, EndLine, LogLine, LostLine, MessageLine, RoomLine
from chatapp.store.sqlite.rows import parse_entry

SELECT_FORWARD = (
    "SELECT id, at, user, message, key FROM messages WHERE room = ? AND at >= ? AND id > ? "
    "ORDER BY id"
)
SELECT_BACKWARD = (
    "SELECT id, length(user || message || key) FROM messages WHERE room = ? AND id > ? "
    "ORDER BY id DESC"
)


def export(
    path: Path, report: Callable[[str], None], room: str = "", since: int = 0
) -> Iterator[bytes]:
    """Yield the lines of the log at `path`, of one room or all (sqlite/lines.py).

    Messages before `since` (ms since 1970) are left out. Messages that can't be read are left out,
    too, and `report` is called with a sentence that names them.

    Raises:
        StoreError: as `open_read_only`, or the list of rooms can't be read.
    """
    encode = msgspec.json.Encoder().encode
    count = 0
    with closing(open_read_only(path)) as database:
        try:
            database.execute("BEGIN")  # a snapshot: what the server writes meanwhile isn't seen
            (epoch,) = database.execute("SELECT epoch FROM store").fetchone()
            select = "SELECT id, name, newest, at FROM rooms WHERE ? IN (name, '') ORDER BY name"
            rooms = database.execute(select, (room,)).fetchall()
        except sqlite3.Error as error:
            raise store_error(path, error) from None
        yield encode(LogLine(FORMAT, epoch))
        for number, name, newest, at in rooms:
            yield encode(RoomLine(name, newest, at))
            for line in _salvage(database, number, name, newest, since):
                if isinstance(line, LostLine):
                    report(f"{name}: the messages {line.first} to {line.last} can't be read")
                else:
                    count += 1
                yield encode(line)
        yield encode(EndLine(count))


def count_messages(path: Path, room: str = "") -> int:
    """Estimate the number of messages from the first and last number of each room.

    Return 0 if these can't be read.
    """
    select = (
        "SELECT sum(newest + 1 - (SELECT min(id) FROM messages WHERE room = rooms.id)) FROM rooms "
        "WHERE ? IN (name, '')"
    )
    with closing(open_read_only(path)) as database:
        try:
            return database.execute(select, (room,)).fetchone()[0] or 0
        except sqlite3.Error:
            return 0


def _salvage(
    database: sqlite3.Connection, number: int, room: str, newest: int, since: int
) -> Iterator[MessageLine | LostLine]:
    """Yield the messages of a room, and a LostLine for each range that can't be read."""
    last = 0
    while last < newest:
        try:
            for line in _messages(database, number, room, since, last):
                last = line.id
                yield line
            return
        except (sqlite3.DatabaseError, DamagedRow):
            if last < newest:
                first = _first_readable_after_damage(database, number, newest, last)
                lost = LostLine(room, last + 1, max(last + 1, first - 1))
                last = lost.last
                yield lost


def _messages(
    database: sqlite3.Connection, number: int, room: str, since: int, after: int
) -> Iterator[MessageLine]:
    with closing(database.execute(SELECT_FORWARD, (number, since, after))) as rows:
        for row in rows:
            said = parse_entry(room, *row)
            yield MessageLine(room, said.id, said.at, said.user, said.message, said.key)


def _first_readable_after_damage(
    database: sqlite3.Connection, number: int, newest: int, after: int
) -> int:
    """Return the first number after `after` from which on all messages can be read.

    Return `newest + 1` if there is none.
    """
    first = newest + 1
    try:
        for first, _ in database.execute(SELECT_BACKWARD, (number, after)):  # noqa: B007
            pass
    except sqlite3.DatabaseError:
        pass  # reading backward has reached the damage
    return first
