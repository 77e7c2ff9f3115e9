"""Writes messages into the file: one transaction for each batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial

from chatapp.chat.log import Draft, Entry, Retention
from chatapp.errors import ChatError, Damaged, Unavailable
from chatapp.store.sqlite.database import transaction
from chatapp.store.sqlite.errors import DamagedRow, error_name, is_row_error
from chatapp.store.sqlite.numbering import Numbering, RoomState
from chatapp.store.sqlite.rows import INSERT, ROW, parse_entry

FIND = "SELECT id, at, user, message FROM messages WHERE room = ? AND folded = ? AND key = ?"
CLEAR_EXPIRED_KEY = (
    "UPDATE messages SET folded = NULL, key = NULL "
    "WHERE room = ? AND folded = ? AND key = ? AND (id <= ? OR at < ?)"
)
ROWS_PER_INSERT = 64
"""Rows of one statement. Each statement releases Python's lock and must get it back."""
MAX_CACHED_ROOMS = 10_000
NUMBER_LIMIT = 2**53
"""More than any number of messages, and than any time in ms."""
Result = tuple[Entry | ChatError, bool]
"""A draft's entry and whether it is new, or its refusal and False."""
Change = tuple[str, tuple[object, ...]]
"""A statement and its values."""


class Writer:
    """Write through one connection. Not thread-safe. `clock()` returns seconds since 1970.

    A row that can't be used is an error of its room. Messages of other rooms are written.
    """

    def __init__(
        self, database: sqlite3.Connection, retention: Retention, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock
        self._rooms: dict[str, tuple[int, int, int]] = {}  # id, newest number and time

    def commit(self, drafts: list[Draft]) -> list[Result]:
        """Number and write `drafts` in one transaction, and return their results in this order.

        If a row is damaged, each room is written by a transaction of its own. Drafts of a damaged
        room get Damaged, with the error as its cause.

        Raises:
            sqlite3.Error: the file can't be written, and none of them is.
        """
        try:
            return [*self._commit_with_retry(drafts)]
        except (sqlite3.Error, DamagedRow) as error:
            if not is_row_error(error):
                raise
            if error_name(error) == "CORRUPT":
                self.test_write()
        rooms = dict.fromkeys(draft.room for draft in drafts)
        results = {
            room: iter(self._commit_room([draft for draft in drafts if draft.room == room]))
            for room in rooms
        }
        return [next(results[draft.room]) for draft in drafts]

    def _commit_room(self, drafts: list[Draft]) -> list[Result]:
        try:
            return [*self._commit_with_retry(drafts)]
        except (sqlite3.Error, DamagedRow) as error:
            refusals = [Damaged() if is_row_error(error) else Unavailable() for _ in drafts]
            for refusal in refusals:
                refusal.__cause__ = error
            return [(refusal, False) for refusal in refusals]

    def _commit_with_retry(self, drafts: list[Draft]) -> list[tuple[Entry, bool]]:
        """Commit without looking up keys; if the unique index refuses one, with a look-up."""
        try:
            try:
                return self._commit(drafts, look_up=False)
            except sqlite3.IntegrityError:
                return self._commit(drafts, look_up=True)
        except (sqlite3.Error, DamagedRow):
            self._rooms.clear()  # they may differ from the file now
            raise

    def _commit(self, drafts: list[Draft], *, look_up: bool) -> list[tuple[Entry, bool]]:
        now = int(self._clock() * 1000)
        find = partial(self._find, now) if look_up else None
        with transaction(self._database):
            numbering = Numbering(now, self._load_room, find)
            results = [numbering.add(draft) for draft in drafts]
            for start in range(0, len(numbering.rows), ROWS_PER_INSERT):
                rows = numbering.rows[start : start + ROWS_PER_INSERT]
                statement = INSERT + ", ".join([ROW] * len(rows))
                self._database.execute(statement, [value for row in rows for value in row])
            self._database.executemany(
                "UPDATE rooms SET newest = ?, at = ? WHERE id = ?",
                [(room.newest, room.at, room.id) for room in numbering.rooms.values()],
            )
        if len(self._rooms) > MAX_CACHED_ROOMS:
            self._rooms.clear()
        for name, room in numbering.rooms.items():
            self._rooms[name] = (room.id, room.newest, room.at)
        return results

    def _load_room(self, name: str) -> RoomState:
        """Return the room's state; a room that isn't in the file is inserted."""
        row = self._rooms.get(name)
        if row is None:
            self._database.execute("INSERT OR IGNORE INTO rooms VALUES (NULL, ?, 0, 0)", (name,))
            select = "SELECT id, newest, at FROM rooms WHERE name = ?"
            row = self._database.execute(select, (name,)).fetchone()
            if not all(isinstance(value, int) and 0 <= value < NUMBER_LIMIT for value in row):
                raise DamagedRow("the room's newest number or time isn't a number")
        return RoomState(*row)

    def _find(self, now: int, room: RoomState, draft: Draft, folded: str) -> Entry | None:
        """Return the kept entry with the draft's key; clear that key from an expired one."""
        expired, cutoff = self._retention.expired_up_to(room.newest), self._retention.cutoff(now)
        name = (room.id, folded, draft.key)
        self._database.execute(CLEAR_EXPIRED_KEY, (*name, expired, cutoff))
        row = self._database.execute(FIND, name).fetchone()
        if row is None:
            return None
        number, at, user, message = row
        return parse_entry(draft.room, number, at, user, message, draft.key)

    def change(self, changes: Iterable[Change]) -> None:
        """Run statements that don't concern messages, in one transaction.

        Raises:
            sqlite3.Error: none of them has changed anything.
        """
        with transaction(self._database):
            for statement, values in changes:
                self._database.execute(statement, values)

    def test_write(self) -> None:
        """Write and sync a value that nobody needs, to see whether writing works.

        Raises:
            sqlite3.Error: the file can't be written now.
        """
        self.change([("UPDATE store SET trials = trials + 1", ())])
