"""Looking whether a file is sound: as a database, and as a log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from chatapp.store.sqlite.database import open_read_only


def check(path: Path, report: Callable[[str], None]) -> int | None:
    """Count the messages of a sound file; None if it isn't sound.

    `report` is called with each fault, in words.

    Raises:
        StoreError: it isn't the chat's, or can't be read at all.
    """
    sound = True
    with closing(open_read_only(path)) as database:
        try:
            for (found,) in database.execute("PRAGMA integrity_check(20)"):
                if found != "ok":
                    report(found)
                    sound = False
            for wrong in _inconsistencies(database):
                report(wrong)
                sound = False
            (count,) = database.execute("SELECT count(*) FROM messages").fetchone()
        except sqlite3.Error as error:
            report(str(error))
            return None
    return int(count) if sound else None


def _inconsistencies(database: sqlite3.Connection) -> Iterator[str]:
    rooms = database.execute(
        "SELECT name, newest, min(m.id), max(m.id), count(m.id), rooms.at < max(m.at) FROM rooms "
        "LEFT JOIN messages m ON m.room = rooms.id GROUP BY rooms.id ORDER BY name"
    )
    for name, newest, first, last, count, late in rooms:
        if count and last - first + 1 != count:
            yield f"the room {name} has {count} messages from {first} to {last}: some are missing"
        if count and last != newest:
            yield f"the room {name} ends at {last}, and should at {newest}"
        if late:
            yield f"the room {name} has messages that are younger than its time"
    odd = (
        "SELECT name FROM rooms WHERE typeof(newest) != 'integer' OR typeof(at) != 'integer' "
        "ORDER BY name"
    )
    for (name,) in database.execute(odd):
        yield f"the room {name} has a number or a time that is none"
    odd = (
        "SELECT name, count(*) FROM messages m JOIN rooms ON rooms.id = m.room "
        "WHERE typeof(m.id) != 'integer' OR typeof(m.at) != 'integer' OR typeof(user) != 'text' "
        "OR typeof(message) != 'text' OR typeof(key) NOT IN ('text', 'null') "
        "GROUP BY name ORDER BY name"
    )
    for name, count in database.execute(odd):
        yield f"the room {name} has {count} messages with a value of a wrong type"
    orphans = database.execute(
        "SELECT count(*) FROM messages WHERE room NOT IN (SELECT id FROM rooms)"
    ).fetchone()[0]
    if orphans:
        yield f"{orphans} messages are of no room"
    backwards = database.execute(
        "SELECT count(*) FROM (SELECT at - lag(at, 1, 0) OVER (PARTITION BY room ORDER BY id) AS d"
        " FROM messages) WHERE d < 0"
    ).fetchone()[0]
    if backwards:
        yield f"{backwards} messages are older than the one before them"
