"""Deletes expired messages from the file, a little at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from chatapp.chat.log import Retention
from chatapp.store.sqlite.database import transaction
from chatapp.store.sqlite.errors import DamagedRow, is_row_error

SWEEP_BATCH = 500
"""Messages that one step deletes at most: a few ms, in which nothing else is written."""
SWEEP_ROOMS = 100
"""Rooms that one query lists."""


def sweep(
    database: sqlite3.Connection, retention: Retention, clock: Callable[[], float]
) -> Iterator[tuple[int, Exception] | None]:
    """Delete expired messages, one step for each `next()`. `clock()`: seconds since 1970.

    A step yields None, or the id and the error of a room that is damaged. The sweep goes on with
    the next room.

    Raises:
        sqlite3.Error: the file can't be read or written.
    """
    last = 0
    select = "SELECT id, newest FROM rooms WHERE id > ? ORDER BY id LIMIT ?"
    while rooms := database.execute(select, (last, SWEEP_ROOMS)).fetchall():
        for room, newest in rooms:
            try:
                while _sweep_room(database, retention, clock, room, newest):
                    yield None
            except (sqlite3.Error, DamagedRow) as error:
                if not is_row_error(error):
                    raise
                yield room, error
        last, _ = rooms[-1]
        yield None


def _sweep_room(
    database: sqlite3.Connection,
    retention: Retention,
    clock: Callable[[], float],
    room: int,
    newest: int,
) -> bool:
    """Delete up to SWEEP_BATCH expired messages; return whether any were deleted."""
    if not isinstance(newest, int):
        raise DamagedRow("the room's newest number isn't a number")
    expired, cutoff = retention.expired_up_to(newest), retention.cutoff(int(clock() * 1000))
    select = "SELECT id, at FROM messages WHERE room = ? ORDER BY id LIMIT ?"
    last = 0
    for number, at in database.execute(select, (room, SWEEP_BATCH)):
        if not (isinstance(number, int) and isinstance(at, int)):
            raise DamagedRow("a message's number or time isn't a number")
        if number > expired and at >= cutoff:
            break
        last = number
    if last:
        with transaction(database):
            database.execute("DELETE FROM messages WHERE room = ? AND id <= ?", (room, last))
    return last > 0
