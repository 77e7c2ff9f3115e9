"""The log on SQLite: durable, in one file that one process serves."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import TypeVar

from chatapp.chat.log import DEFAULT_RETENTION, Draft, Entry, Page, Retention
from chatapp.chat.people.holds import Hold
from chatapp.errors import Damaged, Unavailable
from chatapp.store.background import BackgroundLog
from chatapp.store.batch import Batches
from chatapp.store.damage import DamageLog
from chatapp.store.sqlite.database import open_database
from chatapp.store.sqlite.errors import DamagedRow, error_text, is_row_error, store_error
from chatapp.store.sqlite.lock import FileLock
from chatapp.store.sqlite.reader import Reader
from chatapp.store.sqlite.rows import parse_hold
from chatapp.store.sqlite.sweeping import sweep
from chatapp.store.sqlite.writer import Change, Result, Writer
from chatapp.store.threads import run_in_thread

T = TypeVar("T")
logger = logging.getLogger(__name__)
INSERT_HOLD = "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?)"
DELETE_HOLD = "DELETE FROM holds WHERE folded = ?"
SWEEP_PAUSE = 0.01  # seconds between steps
NO_MORE_STEPS = "no more steps"


class SQLiteLog(BackgroundLog):
    """Keep messages in the file at `path`.

    An entry that `append` has returned was synced to the disk (WAL, `synchronous=FULL`). It
    survives the end of the process and a power cut.

    A row that can't be used makes its own room or name unavailable (Damaged), and nothing else. The
    log says so, at most once a minute for each.

    `patience`: seconds to wait for another process to release the file. `sweep_interval`: seconds.
    `clock()` returns seconds since 1970.
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
        self._damage = DamageLog()

    def _open_store(self) -> None:
        patience, self._patience = self._patience, 0  # wait only at the first attempt
        self._lock_file = FileLock(self.path, patience)
        try:
            self._database = open_database(self.path)
        except BaseException:
            self._lock_file.release()
            raise
        self._epoch: str
        (self._epoch,) = self._database.execute("SELECT epoch FROM store").fetchone()
        self._writer = Writer(self._database, self._retention, self._clock)
        self._reader = Reader(self.path, self._epoch, self._retention, self._clock)

    def close(self) -> None:
        self._closed.set()
        self._batches.close()
        with self._lock:
            if self._is_open:
                self._reader.close()
                self._database.close()
                self._lock_file.release()
            self._is_open = False

    @property
    def epoch(self) -> str:
        self._ensure_open()
        return self._epoch

    def append(self, draft: Draft) -> Entry:
        self._ensure_open()
        return self._batches.append(draft)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        return self._read(f"the room {room}", lambda: self._reader.find(room, user, key))

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        return self._read(f"the room {room}", lambda: self._reader.page(room, since, before, limit))

    def available(self) -> bool:
        """Return whether messages are taken now; after a failed write, by a test write."""
        try:
            self._ensure_open()
            if self._is_failing:
                self._run_on_writer(self._writer.test_write)
        except Unavailable:
            return False
        return True

    def holds(self) -> list[Hold]:
        subject = "a name that is held"
        holds = []
        self._ensure_open()
        for row in self._read(subject, self._reader.hold_rows):
            try:
                holds.append(parse_hold(*row))
            except DamagedRow as error:
                self._report(subject, error)
        return holds

    def keep_hold(self, hold: Hold | None, instead_of: Collection[Hold]) -> None:
        changes: list[Change] = [(DELETE_HOLD, (old.folded,)) for old in instead_of]
        if hold:
            values = (hold.folded, hold.user, hold.token, " ".join(hold.rooms))
            changes.append((INSERT_HOLD, values))
        self._ensure_open()
        self._run_on_writer(partial(self._writer.change, changes))

    def _write(self, drafts: list[Draft]) -> Sequence[Result]:
        results = self._try_write(lambda: self._writer.commit(drafts))
        for draft, (result, _) in zip(drafts, results, strict=True):
            if isinstance(result, Damaged) and isinstance(result.__cause__, Exception):
                self._report(f"the room {draft.room}", result.__cause__)
        return results

    def _run_on_writer(self, write: Callable[[], None]) -> None:
        self._batches.run_exclusively(partial(self._try_write, write))

    def _try_write(self, write: Callable[[], T]) -> T:
        try:
            result = run_in_thread(write)
        except sqlite3.Error as error:
            self._log_unavailable(str(store_error(self.path, error)))
            raise Unavailable from None
        if self._is_failing:
            logger.warning("%s accepts messages again", self.path)
        self._is_failing = False
        return result

    def _read(self, subject: str, read: Callable[[], T]) -> T:
        """Run `read()`; `subject` says in the log what couldn't be read."""
        self._ensure_open()
        try:
            return read()
        except (sqlite3.Error, DamagedRow) as error:
            raise self._report(subject, error) from None

    def _report(self, subject: str, error: Exception) -> Unavailable:
        """Log an error, unless it was logged within a minute; return the client's refusal."""
        if isinstance(error, sqlite3.Error) and not is_row_error(error):
            self._damage.report("the file", str(store_error(self.path, error)))
            return Unavailable()
        self._damage.report(
            subject,
            f"{self.path}: {subject} has a row that can't be used ({error_text(error)}) and is "
            "unavailable until that is repaired; run `chatapp check` for details",
        )
        return Damaged()

    def _sweep(self) -> None:
        steps = sweep(self._database, self._retention, self._clock)
        advance = partial(run_in_thread, partial(next, steps, NO_MORE_STEPS))
        try:
            while (step := self._batches.run_exclusively(advance)) != NO_MORE_STEPS:
                if isinstance(step, tuple):
                    room, error = step
                    self._report(f"the room with the id {room}", error)
                self._closed.wait(SWEEP_PAUSE)
        except sqlite3.Error as error:
            logger.error("%s", store_error(self.path, error))
