"""Group commit: what waits is written together, so that writers share what durability costs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from chatapp.errors import Unavailable
from chatapp.store.base import Draft, Entry
from chatapp.store.tasks import event, let_others_come

T = TypeVar("T")
Write = Callable[[list[Draft]], Sequence[tuple[Entry, bool]]]
"""Writes drafts; the entry of each, and whether it is new. Raises Unavailable: they count as not
written; if some were, their keys tell."""


class _Batch:
    """Drafts that are to be written together, and what became of them."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.results: Sequence[tuple[Entry, bool]] = ()
        self.written = False
        self.over = event()


class Batches:
    """Hands drafts to `write`, all that wait at once, and new entries to `deliver`, in order.

    There's no writer of its own: the first to wait writes for all who have joined it by the time
    that the batch before has been written, and, where that had several drafts, for those that the
    loop has ready. At rest nobody waits for company.
    """

    def __init__(self, write: Write, deliver: Callable[[Sequence[Entry]], None]) -> None:
        self._write = write
        self._deliver = deliver
        self._joining = _Batch()
        self._lock = threading.Lock()  # of `_joining` and `_closed`
        self._writing = threading.Lock()
        self._delivering = threading.Lock()
        self._in_company = False
        self._closed = False

    def append(self, draft: Draft) -> Entry:
        """The entry of `draft`, once it's written and delivered.

        Raises:
            Unavailable: it can't be written now, or these batches are closed.
        """
        with self._lock:
            if self._closed:
                raise Unavailable
            batch = self._joining
            place = len(batch.drafts)
            batch.drafts.append(draft)
        if place == 0:
            self._lead(batch)
        else:
            batch.over.wait()
        if not batch.written:
            raise Unavailable
        return batch.results[place][0]

    def _lead(self, batch: _Batch) -> None:
        try:
            with self._writing:
                if self._in_company:
                    let_others_come()
                with self._lock:
                    self._joining = _Batch()
                self._in_company = len(batch.drafts) > 1
                batch.results = self._write(batch.drafts)
                self._delivering.acquire()  # before the next is written, so that order is kept
            try:
                self._deliver([entry for entry, is_new in batch.results if is_new])
                batch.written = True
            finally:
                self._delivering.release()
        except Unavailable:
            pass  # as whoever waits is told
        finally:
            with self._lock:
                if self._joining is batch:  # interrupted before its turn
                    self._joining = _Batch()
            batch.over.set()

    def alone(self, call: Callable[[], T]) -> T:
        """Run `call()` while nothing is written.

        Raises:
            Unavailable: these batches are closed.
        """
        with self._writing:
            if self._closed:
                raise Unavailable
            return call()

    def close(self) -> None:
        """Take no more, and wait until all that was taken has been written and delivered."""
        with self._lock:
            self._closed = True
            last = self._joining
        if last.drafts:
            last.over.wait()
        with self._writing, self._delivering:
            pass
