"""Checks that a file is sound, as a database and as a log (`chatapp check`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from chatapp.store.sqlite.database import open_read_only

MAX_FAULTS = 20
"""Faults that SQLite's own check lists at most."""


def check(path: Path, report: Callable[[str], None]) -> int | None:
    """Return the number of messages in a sound file, or None if it isn't sound.

    `report` is called with each fault, a sentence.

    Raises:
        StoreError: the file isn't the chat's, or can't be opened.
    """
    sound = True
    with closing(open_read_only(path)) as database:
        try:
            for (found,) in database.execute(f"PRAGMA integrity_check({MAX_FAULTS})"):
                if found != "ok":
                    report(found)
                    sound = False
            for find in (_wrong_numbers, _wrong_types, _wrong_messages):
                for fault in find(database):
                    report(fault)
                    sound = False
            (count,) = database.execute("SELECT count(*) FROM messages").fetchone()
        except sqlite3.Error as error:
            report(str(error))
            return None
    return int(count) if sound else None


def _wrong_numbers(database: sqlite3.Connection) -> Iterator[str]:
    """Find rooms whose newest number or time doesn't fit their messages."""
    rooms = database.execute(
        "SELECT name, newest, min(m.id), max(m.id), count(m.id), rooms.at < max(m.at) FROM rooms "
        "LEFT JOIN messages m ON m.room = rooms.id GROUP BY rooms.id ORDER BY name"
    )
    for name, newest, first, last, count, late in rooms:
        if count and last - first + 1 != count:
            yield f"the room {name} has {count} messages from {first} to {last}: some are missing"
        if count and last != newest:
            yield f"the room {name} ends with the message {last} instead of {newest}"
        if late:
            yield f"the room {name} has messages that are newer than its own time"


def _wrong_types(database: sqlite3.Connection) -> Iterator[str]:
    """Find values of types that the chat never writes."""
    rooms = database.execute(
        "SELECT name FROM rooms WHERE typeof(newest) != 'integer' OR typeof(at) != 'integer' "
        "ORDER BY name"
    )
    for (name,) in rooms:
        yield f"the room {name} has a newest number or a time that isn't a number"
    messages = database.execute(
        "SELECT name, count(*) FROM messages m JOIN rooms ON rooms.id = m.room "
        "WHERE typeof(m.id) != 'integer' OR typeof(m.at) != 'integer' OR typeof(user) != 'text' "
        "OR typeof(message) != 'text' OR typeof(key) NOT IN ('text', 'null') "
        "GROUP BY name ORDER BY name"
    )
    for name, count in messages:
        yield f"the room {name} has {count} messages with a value of a wrong type"


def _wrong_messages(database: sqlite3.Connection) -> Iterator[str]:
    """Find messages without a room, and those whose time goes backwards."""
    orphans = database.execute(
        "SELECT count(*) FROM messages WHERE room NOT IN (SELECT id FROM rooms)"
    ).fetchone()[0]
    if orphans:
        yield f"{orphans} messages belong to no room"
    backwards = database.execute(
        "SELECT count(*) FROM (SELECT at - lag(at, 1, 0) OVER (PARTITION BY room ORDER BY id) AS d"
        " FROM messages) WHERE d < 0"
    ).fetchone()[0]
    if backwards:
        yield f"{backwards} messages are older than the message before them"
