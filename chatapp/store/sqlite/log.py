"""The log on SQLite: durable, in one file that one process serves."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import time
from typing import Any, TypeVar

from chatapp.chat.log import DEFAULT_RETENTION, Draft, Entry, Page, Retention, bounded
from chatapp.chat.people.holds import Hold
from chatapp.chat.people.names import fold
from chatapp.errors import Damaged, Unavailable
from chatapp.store.background import BackgroundLog
from chatapp.store.batch import Batches
from chatapp.store.damage import DamageLog
from chatapp.store.sqlite.database import (
    DamagedRow,
    FileLock,
    connect,
    error_text,
    is_row_error,
    open_database,
    store_error,
)
from chatapp.store.sqlite.writer import Change, Result, Writer, entry_of
from chatapp.store.threads import run_in_thread

T = TypeVar("T")
logger = logging.getLogger(__name__)
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
"""As bytes: one that isn't UTF-8 is an error of that name alone."""
INSERT_HOLD = "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?)"
DELETE_HOLD = "DELETE FROM holds WHERE folded = ?"
NO_LIMIT = 2**62
"""More than any number of messages."""
MAX_IDLE_READERS = 4
"""Connections that are kept for reading."""
SWEEP_PAUSE = 0.01  # seconds between steps
NO_MORE_STEPS = "done"


class SQLiteLog(BackgroundLog):
    """Keeps messages in the file at `path`.

    What `append` returns has been synced to the disk (WAL, `synchronous=FULL`): neither the end of
    the process nor a power cut loses it. `patience`: seconds to wait for another process to leave
    the file. `clock`: seconds since 1970.

    A row that can't be used is an error of its room or its name, never of the file: a request for
    that gets Damaged, and a line in the log says so, once a minute at most.
    """

    def __init__(
        self,
        path: Path,
        retention: Retention = DEFAULT_RETENTION,
        *,
        patience: float = 6.0,
        sweep_interval: float = 60.0,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__(sweep_interval)
        self.path = path
        self._retention = retention
        self._patience = patience
        self._clock = clock
        self._batches: Batches[Draft, Entry] = Batches(self._write, self._deliver)
        self._readers: list[sqlite3.Connection] = []
        self._damage = DamageLog()

    def _open_store(self) -> None:
        patience, self._patience = self._patience, 0  # whoever tries again has waited
        self._file_lock = FileLock(self.path, patience)
        try:
            self._database = open_database(self.path)
        except BaseException:
            self._file_lock.release()
            raise
        self._epoch: str
        (self._epoch,) = self._database.execute("SELECT epoch FROM store").fetchone()
        self._writer = Writer(self._database, self._retention, self._clock)

    def close(self) -> None:
        self._closed.set()
        self._batches.close()
        with self._lock:
            if self._is_open:
                for database in [*self._readers, self._database]:
                    database.close()
                self._file_lock.release()
            self._is_open = False

    @property
    def epoch(self) -> str:
        self._ensure_open()
        return self._epoch

    def append(self, draft: Draft) -> Entry:
        self._ensure_open()
        return self._batches.append(draft)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        found = self._read(FIND, 1, room=room, folded=fold(user), key=key).entries
        return found[0] if found else None

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        if since is not None:
            return self._read(SINCE, limit, room=room, since=since)
        page = self._read(BEFORE, limit, room=room, before=NO_LIMIT if before is None else before)
        return Page(page.entries[::-1], page.more, page.epoch)

    def available(self) -> bool:
        """Whether messages are taken now; where the last weren't, tries to write."""
        try:
            self._ensure_open()
            if self._is_failing:
                self._batches.run_exclusively(
                    partial(self._write_or_refuse, self._writer.test_write)
                )
        except Unavailable:
            return False
        return True

    def holds(self) -> list[Hold]:
        names = "a name that is held"
        rows = self._query(lambda reader: reader.execute(SELECT_HOLDS).fetchall(), names)
        holds = []
        for row in rows:
            try:
                holds.append(hold_of(*row))
            except DamagedRow as error:
                self._report(names, error)
        return holds

    def keep_hold(self, hold: Hold | None, instead_of: Collection[Hold]) -> None:
        changes: list[Change] = [(DELETE_HOLD, (old.folded,)) for old in instead_of]
        if hold:
            changes.append(
                (INSERT_HOLD, (hold.folded, hold.user, hold.token, " ".join(hold.rooms)))
            )
        self._ensure_open()
        self._batches.run_exclusively(
            partial(self._write_or_refuse, partial(self._writer.change, changes))
        )

    def _write(self, drafts: list[Draft]) -> Sequence[Result]:
        results = self._write_or_refuse(lambda: self._writer.commit(drafts))
        for draft, (result, _) in zip(drafts, results, strict=True):
            if isinstance(result, Damaged) and isinstance(result.__cause__, Exception):
                self._report(f"the room {draft.room}", result.__cause__)
        return results

    def _write_or_refuse(self, write: Callable[[], T]) -> T:
        try:
            result = run_in_thread(write)
        except sqlite3.Error as error:
            self._log_unavailable(str(store_error(self.path, error)))
            raise Unavailable from None
        if self._is_failing:
            logger.warning("%s takes messages again", self.path)
        self._is_failing = False
        return result

    def _read(self, query: str, limit: int, room: str, **parameters: Any) -> Page:
        cutoff = self._retention.cutoff(int(self._clock() * 1000))
        messages = self._retention.messages or NO_LIMIT
        parameters |= {"room": room, "cutoff": cutoff, "messages": messages}

        def fetch(reader: sqlite3.Connection) -> Page:
            with closing(reader.execute(query, parameters)) as rows:
                entries = (entry_of(room, *row) for row in rows)
                return Page(*bounded(entries, limit), self._epoch)

        return self._query(fetch, f"the room {room}")

    def _query(self, fetch: Callable[[sqlite3.Connection], T], about: str) -> T:
        self._ensure_open()

        def fetch_with_a_reader() -> T:
            with self._reader() as reader:
                return fetch(reader)

        try:
            return run_in_thread(fetch_with_a_reader)
        except (sqlite3.Error, DamagedRow) as error:
            raise self._report(about, error) from None

    def _report(self, about: str, error: Exception) -> Unavailable:
        """Log what is wrong, unless it was logged a short while ago: what a client gets of it."""
        if isinstance(error, sqlite3.Error) and not is_row_error(error):
            self._damage.report("the file", str(store_error(self.path, error)))
            return Unavailable()
        self._damage.report(
            about,
            f"{self.path}: {about} has a row that can't be used ({error_text(error)}), and is "
            "unavailable until that is repaired; `chatapp check` and `chatapp export` say more",
        )
        return Damaged()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile: who reads doesn't wait for who writes."""
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = connect(self.path, "ro")
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        if len(self._readers) < MAX_IDLE_READERS:
            self._readers.append(reader)
        else:
            reader.close()

    def _sweep(self) -> None:
        """Between the batches."""
        steps = self._writer.sweep()
        advance = partial(next, steps, NO_MORE_STEPS)
        try:
            while (
                step := self._batches.run_exclusively(partial(run_in_thread, advance))
            ) != NO_MORE_STEPS:
                if isinstance(step, tuple):
                    room, error = step
                    self._report(f"the room of the id {room}", error)
                self._closed.wait(SWEEP_PAUSE)
        except sqlite3.Error as error:
            logger.error("%s", store_error(self.path, error))


def hold_of(folded: bytes, user: bytes, token: object, rooms: bytes) -> Hold:
    """The hold of a row.

    Raises:
        DamagedRow: it isn't one that the chat has written.
    """
    if not isinstance(token, bytes):
        raise DamagedRow("a token is of a wrong type")
    try:
        return Hold(folded.decode(), user.decode(), token, tuple(rooms.decode().split()))
    except UnicodeDecodeError:
        raise DamagedRow("a text isn't UTF-8") from None
