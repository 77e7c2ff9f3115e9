"""Group commit: drafts that wait are written together and share the cost of durability."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

from chatapp.errors import ChatError, Unavailable
from chatapp.store.threads import make_event, yield_to_loop

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")


class _Batch(Generic[D, R]):
    """Drafts that are written together, and their results."""

    def __init__(self) -> None:
        self.drafts: list[D] = []
        self.results: Sequence[tuple[R | ChatError, bool]] = ()
        self.undelivered: Collection[R] = ()
        self.written = False
        self.done = make_event()


class Batches(Generic[D, R]):
    """Write all waiting drafts at once, then deliver the new entries in order.

    - `write(drafts)` returns for each draft its entry and whether that is new. A refusal in place
      of an entry is raised to that draft's caller alone. If it raises Unavailable, all callers get
      that, and drafts that were written all the same are found by their keys.
    - `deliver(entries)` returns the entries that it couldn't deliver, if any. Their callers get
      Unavailable.

    No thread of its own writes. The first caller of a batch writes it, once the batch before has
    been written. If that one had several drafts, the caller first yields to the loop, so that
    greenlets that are ready can join. A single caller never waits for others.
    """

    def __init__(
        self,
        write: Callable[[list[D]], Sequence[tuple[R | ChatError, bool]]],
        deliver: Callable[[Sequence[R]], Collection[R] | None],
    ) -> None:
        self._write = write
        self._deliver = deliver
        self._next_batch: _Batch[D, R] = _Batch()
        self._lock = threading.Lock()  # of `_next_batch` and `_closed`
        self._writing = threading.Lock()
        self._delivering = threading.Lock()
        self._was_shared = False
        self._closed = False

    def append(self, draft: D) -> R:
        """Return the entry of `draft`, once it is written and delivered.

        Raises:
            Unavailable: it can't be written or delivered now, or `close` was called.
            ChatError: `write` refused it.
        """
        with self._lock:
            if self._closed:
                raise Unavailable
            batch = self._next_batch
            position = len(batch.drafts)
            batch.drafts.append(draft)
        if position == 0:
            self._write_batch(batch)
        else:
            batch.done.wait()
        if not batch.written:
            raise Unavailable
        result, _ = batch.results[position]
        if isinstance(result, ChatError):
            raise result
        if result in batch.undelivered:
            raise Unavailable
        return result

    def _write_batch(self, batch: _Batch[D, R]) -> None:
        try:
            with self._writing:
                if self._was_shared:
                    yield_to_loop()
                with self._lock:
                    self._next_batch = _Batch()
                self._was_shared = len(batch.drafts) > 1
                batch.results = self._write(batch.drafts)
                self._delivering.acquire()  # before the next batch is written, to keep the order
            try:
                batch.undelivered = self._deliver(new_entries(batch.results)) or ()
                batch.written = True
            finally:
                self._delivering.release()
        except Unavailable:
            pass  # each caller raises its own
        finally:
            with self._lock:
                if self._next_batch is batch:  # this caller was interrupted while it waited
                    self._next_batch = _Batch()
            batch.done.set()

    def run_exclusively(self, call: Callable[[], T]) -> T:
        """Run `call()` between two batches.

        Raises:
            Unavailable: `close` was called.
        """
        with self._writing:
            if self._closed:
                raise Unavailable
            return call()

    def close(self) -> None:
        """Take no more drafts, and wait until all that were taken are written and delivered."""
        with self._lock:
            self._closed = True
            last = self._next_batch
        if last.drafts:
            last.done.wait()
        with self._writing, self._delivering:
            pass


def new_entries(results: Sequence[tuple[R | ChatError, bool]]) -> list[R]:
    """Return the entries that are new, without duplicates and refusals."""
    return [entry for entry, is_new in results if is_new and not isinstance(entry, ChatError)]
