"""Reads pages, keys and holds from the file, beside the writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from chatapp.chat.log import Entry, Page, Retention, bounded
from chatapp.chat.people.names import canonical
from chatapp.store.sqlite.database import connect
from chatapp.store.sqlite.rows import parse_entry
from chatapp.store.threads import run_in_thread

T = TypeVar("T")
SELECT = """
    SELECT id, at, user, message, key FROM messages
    WHERE room = (SELECT id FROM rooms WHERE name = :room) AND at >= :cutoff
"""
LAST_EXPIRED = "(SELECT newest FROM rooms WHERE name = :room) - :messages"
SINCE = f"{SELECT} AND id > max(:since, {LAST_EXPIRED}) ORDER BY id"
BEFORE = f"{SELECT} AND id > {LAST_EXPIRED} AND id < :before ORDER BY id DESC"
FIND = f"{SELECT} AND id > {LAST_EXPIRED} AND folded = :folded AND key = :key"
SELECT_HOLDS = (
    "SELECT CAST(folded AS BLOB), CAST(user AS BLOB), token, CAST(rooms AS BLOB) FROM holds"
)
"""As bytes, so that a text that isn't UTF-8 is an error of its own row."""
NO_LIMIT = 2**62
"""More than any number of messages."""
MAX_IDLE_CONNECTIONS = 4


class Reader:
    """Read from the file at `path` what `retention` keeps. Thread-safe.

    In WAL mode a reader doesn't wait for the writer (sqlite.org/wal.html). Each read has a
    connection to itself. `clock()` returns seconds since 1970.

    All methods but `close` raise sqlite3.Error, and DamagedRow for a row that can't be parsed.
    """

    def __init__(
        self, path: Path, epoch: str, retention: Retention, clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._epoch = epoch
        self._retention = retention
        self._clock = clock
        self._idle: list[sqlite3.Connection] = []

    def page(self, room: str, since: int | None, before: int | None, limit: int) -> Page:
        """Return a page of `room` (Log.read)."""
        if since is not None:
            return self._select(SINCE, limit, room, since=since)
        page = self._select(BEFORE, limit, room, before=NO_LIMIT if before is None else before)
        return Page(page.entries[::-1], page.more, page.epoch)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        """Return the entry that `user` appended with `key` (Log.find)."""
        found = self._select(FIND, 1, room, folded=canonical(user), key=key).entries
        return found[0] if found else None

    def hold_rows(self) -> list[tuple[bytes, bytes, object, bytes]]:
        """Return the rows of `holds`, for `parse_hold`."""
        return self._run(lambda connection: connection.execute(SELECT_HOLDS).fetchall())

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    def _select(self, query: str, limit: int, room: str, **parameters: Any) -> Page:
        cutoff = self._retention.cutoff(int(self._clock() * 1000))
        messages = self._retention.messages or NO_LIMIT
        parameters |= {"room": room, "cutoff": cutoff, "messages": messages}

        def fetch(connection: sqlite3.Connection) -> Page:
            with closing(connection.execute(query, parameters)) as rows:
                entries = (parse_entry(room, *row) for row in rows)
                return Page(*bounded(entries, limit), self._epoch)

        return self._run(fetch)

    def _run(self, fetch: Callable[[sqlite3.Connection], T]) -> T:
        def fetch_with_connection() -> T:
            with self._connection() as connection:
                return fetch(connection)

        return run_in_thread(fetch_with_connection)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self._path, "ro")
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < MAX_IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
