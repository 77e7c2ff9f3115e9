"""Taking the log out of a file, beside a server, and as far as a damaged one can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from chatapp.store.sqlite.database import DamagedRow, open_read_only, store_error
from chatapp.store.sqlite.lines import FORMAT, EndLine, LogLine, LostLine, MessageLine, RoomLine
from chatapp.store.sqlite.writer import entry_of

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
    """The lines of the log at `path`, of one room or all; messages from `since` (ms) on.

    `report` is called with what can't be read, which is left out.

    Raises:
        StoreError: see `open_read_only`; or not even its rooms can be read.
    """
    encode = msgspec.json.Encoder().encode
    count = 0
    with closing(open_read_only(path)) as database:
        try:
            database.execute("BEGIN")  # all that follows is of one moment
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
    """How many messages there are, by the numbers of the first and last of each room; 0 where even
    these can't be read."""
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
    """The messages of a room; where some can't be read, those before them and those after them."""
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
            said = entry_of(room, *row)
            yield MessageLine(room, said.id, said.at, said.user, said.message, said.key)


def _first_readable_after_damage(
    database: sqlite3.Connection, number: int, newest: int, after: int
) -> int:
    """The first message after `after` from which on all can be read; one past the last if none."""
    first = newest + 1
    try:
        for first, _ in database.execute(SELECT_BACKWARD, (number, after)):  # noqa: B007
            pass
    except sqlite3.DatabaseError:
        pass  # as count_messages: the damage, from its other side
    return first
