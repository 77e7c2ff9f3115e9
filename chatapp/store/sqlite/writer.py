"""Numbers messages and writes them into the chat's file, a batch in each transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from chatapp.chat.log import Draft, Entry, Retention
from chatapp.chat.people.names import fold
from chatapp.errors import ChatError, Damaged, Unavailable
from chatapp.store.sqlite.database import DamagedRow, error_name, is_row_error

INSERT = "INSERT INTO messages (room, id, at, user, message, folded, key) VALUES "
ROW = "(?, ?, ?, ?, ?, ?, ?)"
FIND = "SELECT id, at, user, message FROM messages WHERE room = ? AND folded = ? AND key = ?"
CLEAR_EXPIRED_KEY = (
    "UPDATE messages SET folded = NULL, key = NULL "
    "WHERE room = ? AND folded = ? AND key = ? AND (id <= ? OR at < ?)"
)
ROWS_PER_INSERT = 64
"""Rows of one statement: each statement lets go of Python's lock, and must get it back."""
MAX_CACHED_ROOMS = 10_000
SWEEP_BATCH, SWEEP_ROOMS = 500, 100
"""Messages that one step of retention takes at most, and rooms that it looks at."""
NUMBER_LIMIT = 2**53
"""More than any number of messages, and than any time in ms."""
Result = tuple[Entry | ChatError, bool]
"""A draft's entry, and whether it is new; or its refusal."""
Change = tuple[str, tuple[object, ...]]
"""A statement and its values."""


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All that is done within is done, and synced to the disk, once this ends; or nothing is."""
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


class _RoomState:
    """A room's number in the file, and its newest message's number and time (ms)."""

    __slots__ = ("at", "id", "newest")

    def __init__(self, id: int, newest: int, at: int) -> None:  # noqa: A002
        self.id = id
        self.newest = newest
        self.at = at


class Writer:
    """The one who writes messages. Not thread-safe. `clock`: seconds since 1970.

    A row that can't be used is an error of its room: other rooms' messages are written, and the
    sweep goes on with the next room.
    """

    def __init__(
        self, database: sqlite3.Connection, retention: Retention, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock
        self._rooms: dict[str, tuple[int, int, int]] = {}

    def commit(self, drafts: list[Draft]) -> list[Result]:
        """Number and write `drafts`; the entry of each, and whether it is new. Those of a damaged
        room have Damaged in its place, whose cause is the error.

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
        of_rooms = {
            room: iter(self._commit_room([draft for draft in drafts if draft.room == room]))
            for room in rooms
        }
        return [next(of_rooms[draft.room]) for draft in drafts]

    def _commit_room(self, drafts: list[Draft]) -> list[Result]:
        """Write the drafts of one room by themselves, or none of them."""
        try:
            return [*self._commit_with_retry(drafts)]
        except (sqlite3.Error, DamagedRow) as error:
            refusals = [Damaged() if is_row_error(error) else Unavailable() for _ in drafts]
            for refusal in refusals:
                refusal.__cause__ = error
            return [(refusal, False) for refusal in refusals]

    def _commit_with_retry(self, drafts: list[Draft]) -> list[tuple[Entry, bool]]:
        try:
            try:
                return self._commit(drafts, look_up=False)
            except sqlite3.IntegrityError:  # the key of one is there already
                return self._commit(drafts, look_up=True)
        except (sqlite3.Error, DamagedRow):
            self._rooms.clear()  # to be read again, whatever has become of the file
            raise

    def _commit(self, drafts: list[Draft], *, look_up: bool) -> list[tuple[Entry, bool]]:
        with transaction(self._database):
            numbering = _Numbering(self, int(self._clock() * 1000), look_up)
            results = [numbering.entry_of(draft) for draft in drafts]
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

    def room(self, name: str) -> _RoomState:
        """The room as it is, made if there is none."""
        row = self._rooms.get(name)
        if row is None:
            self._database.execute("INSERT OR IGNORE INTO rooms VALUES (NULL, ?, 0, 0)", (name,))
            select = "SELECT id, newest, at FROM rooms WHERE name = ?"
            row = self._database.execute(select, (name,)).fetchone()
            if not all(isinstance(value, int) and 0 <= value < NUMBER_LIMIT for value in row):
                raise DamagedRow("its number or its time is none")
        return _RoomState(*row)

    def find(self, room: _RoomState, draft: Draft, folded: str, now: int) -> Entry | None:
        """What is kept under the draft's key; what is no longer kept gives the key free."""
        retired, cutoff = self._retention.expired_up_to(room.newest), self._retention.cutoff(now)
        name = (room.id, folded, draft.key)
        self._database.execute(CLEAR_EXPIRED_KEY, (*name, retired, cutoff))
        row = self._database.execute(FIND, name).fetchone()
        if row is None:
            return None
        number, at, user, message = row
        return entry_of(draft.room, number, at, user, message, draft.key)

    def change(self, changes: Iterable[Change]) -> None:
        """Do what is no message's, in a transaction of its own.

        Raises:
            sqlite3.Error: none of it is done.
        """
        with transaction(self._database):
            for statement, values in changes:
                self._database.execute(statement, values)

    def test_write(self) -> None:
        """Write nothing that matters.

        Raises:
            sqlite3.Error: nothing can be written now.
        """
        self.change([("UPDATE store SET trials = trials + 1", ())])

    def sweep(self) -> Iterator[tuple[int, Exception] | None]:
        """Take away what retention no longer keeps, a little with each step; a room that is damaged
        is given by its number in the file, with the error."""
        last = 0
        select = "SELECT id, newest FROM rooms WHERE id > ? ORDER BY id LIMIT ?"
        while rooms := self._database.execute(select, (last, SWEEP_ROOMS)).fetchall():
            for room, newest in rooms:
                try:
                    while self._sweep_room(room, newest):
                        yield None
                except (sqlite3.Error, DamagedRow) as error:
                    if not is_row_error(error):
                        raise
                    yield room, error
            last, _ = rooms[-1]
            yield None

    def _sweep_room(self, room: int, newest: int) -> bool:
        if not isinstance(newest, int):
            raise DamagedRow("its number or its time is none")
        retired = self._retention.expired_up_to(newest)
        cutoff = self._retention.cutoff(int(self._clock() * 1000))
        select = "SELECT id, at FROM messages WHERE room = ? ORDER BY id LIMIT ?"
        last = 0
        for number, at in self._database.execute(select, (room, SWEEP_BATCH)):
            if not (isinstance(number, int) and isinstance(at, int)):
                raise DamagedRow("a message's number or time is none")
            if number > retired and at >= cutoff:
                break
            last = number
        if last:
            with transaction(self._database):
                delete = "DELETE FROM messages WHERE room = ? AND id <= ?"
                self._database.execute(delete, (room, last))
        return last > 0


def entry_of(
    room: str, number: object, at: object, user: object, message: object, key: object
) -> Entry:
    """The entry of a row of messages.

    Raises:
        DamagedRow: a value is of a type that the chat doesn't write there.
    """
    match number, at, user, message, key:
        case int(), int(), str(), str(), str() | None:
            return Entry(room, number, at, user, message, key or "")
    raise DamagedRow("a message has a value of a wrong type")


class _Numbering:
    """The entries of a batch of drafts, in one transaction, each numbered in its room."""

    def __init__(self, writer: Writer, now: int, look_up: bool) -> None:
        self._writer = writer
        self._now = now
        self._look_up = look_up
        self._known: dict[tuple[str, str, str], Entry] = {}
        self.rooms: dict[str, _RoomState] = {}
        self.rows: list[tuple[int, int, int, str, str, str | None, str | None]] = []

    def entry_of(self, draft: Draft) -> tuple[Entry, bool]:
        """The draft's entry, and whether it is new."""
        room = self.rooms.get(draft.room)
        if room is None:
            room = self.rooms[draft.room] = self._writer.room(draft.room)
        if not draft.key:
            return self._new(room, draft, None), True
        folded = fold(draft.user)
        name = (draft.room, folded, draft.key)
        known = self._known.get(name)
        if known is None and self._look_up:
            known = self._writer.find(room, draft, folded, self._now)
        self._known[name] = known or self._new(room, draft, folded)
        return self._known[name], known is None

    def _new(self, room: _RoomState, draft: Draft, folded: str | None) -> Entry:
        room.newest += 1
        room.at = max(room.at, self._now)
        key = draft.key or None
        self.rows.append((room.id, room.newest, room.at, draft.user, draft.message, folded, key))
        return Entry(draft.room, room.newest, room.at, draft.user, draft.message, draft.key)
