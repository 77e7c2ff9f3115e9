"""Group commit: what waits is written together, so that writers share what durability costs."""

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
    """Drafts that are to be written together, and what became of them."""

    def __init__(self) -> None:
        self.drafts: list[D] = []
        self.results: Sequence[tuple[R | ChatError, bool]] = ()
        self.undelivered: Collection[R] = ()
        self.written = False
        self.done = make_event()


class Batches(Generic[D, R]):
    """Hands drafts to `write`, all that wait at once, and new entries to `deliver`, in order.

    `write` gives the entry of each, and whether it is new. If it raises Unavailable, all of them
    count as not written; if some were, their keys tell. A draft that alone can't be written has a
    refusal in place of its entry, which only its own writer gets. `deliver` gives the entries that
    it couldn't deliver, if any; their writers get Unavailable.

    There's no writer of its own: the first to wait writes for all who have joined it by the time
    that the batch before has been written, and, where that had several drafts, for those that the
    loop has ready. At rest nobody waits for company.
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
        """The entry of `draft`, once it's written and delivered.

        Raises:
            Unavailable: it can't be written or delivered now, or these batches are closed.
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
                self._delivering.acquire()  # before the next is written, so that order is kept
            try:
                batch.undelivered = self._deliver(new_entries(batch.results)) or ()
                batch.written = True
            finally:
                self._delivering.release()
        except Unavailable:
            pass  # as whoever waits is told
        finally:
            with self._lock:
                if self._next_batch is batch:  # interrupted before its turn
                    self._next_batch = _Batch()
            batch.done.set()

    def run_exclusively(self, call: Callable[[], T]) -> T:
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
            last = self._next_batch
        if last.drafts:
            last.done.wait()
        with self._writing, self._delivering:
            pass


def new_entries(results: Sequence[tuple[R | ChatError, bool]]) -> list[R]:
    return [entry for entry, is_new in results if is_new and not isinstance(entry, ChatError)]
