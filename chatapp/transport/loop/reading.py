"""Fair scheduling of reads: each connection gets a slice of the event loop's time.

Under gevent, `recv` and `send` don't switch to another greenlet while the kernel has data or room.
So a client that always sends more would keep the loop for itself. A slice ends after `SLICE`
seconds, `STEPS_PER_SLICE` requests or `FRAMES_PER_SLICE` messages. The connection then waits until
each other connection has had its slice.

A connection that becomes ready goes before those that have used up a slice, as sparse flows do in
RFC 8290, section 4.1. So an occasional message doesn't wait behind a flood.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from gevent.hub import Waiter
from greenlet import getcurrent

SLICE = 0.01  # seconds
STEPS_PER_SLICE = 16
"""Requests of one connection in a slice."""
FRAMES_PER_SLICE = 64
"""Messages of one connection in a slice; each costs much less than a request."""
STARVED = 1.0  # seconds
"""How long a connection with a backlog waits for connections without one."""


class Readable(Protocol):
    """A connection that the scheduler has read."""

    def read(self) -> None:
        """Read what is there, if anything, for up to a slice."""

    def pause(self) -> None:
        """Stop the loop from reporting that there is data, until `resume_and_read`."""

    def resume_and_read(self) -> None:
        """Have the loop report data again, and read what is there, for up to a slice."""


class ReadScheduler:
    """Has connections read in turn, for a slice of each iteration of the loop.

    The loop doesn't watch a connection that waits, as it would report it in each iteration.

    `after_events(call)` has `call()` called once the loop has handled all events that it knows of.
    `next_iteration(call)` has it called in the loop's next iteration, as the last of its events.
    `greenlets`: whether requests are handled in greenlets; in threads none waits.
    """

    def __init__(
        self,
        after_events: Callable[[Callable[[], None]], Any],
        next_iteration: Callable[[Callable[[], None]], Any],
        greenlets: bool = True,
        seconds: float = SLICE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._after_events = after_events
        self._next_iteration = next_iteration
        self._greenlets = greenlets
        self._seconds = seconds
        self._clock = clock
        self._slice_end = 0.0  # 0: no slice has begun
        self._running: Any = None  # the greenlet that took the last step in this slice
        self._steps = 0  # that it took
        self._ready: deque[Readable] = deque()
        # Connections that have used up a slice, with the time since which they wait.
        self._backlogged: deque[tuple[float, Readable]] = deque()
        self._due = 0  # of the backlogged ones, those that waited before the last new events
        self._serving = False

    def ready(self, connection: Readable) -> None:
        """Have a connection with data read, now or after those that wait."""
        if not self._ready and self.has_time_left():
            connection.read()
        else:
            self._enqueue(connection, backlogged=False)

    def used_up(self, connection: Readable) -> None:
        """Have a connection that has more data after its slice read again later."""
        self._enqueue(connection, backlogged=True)

    def has_time_left(self) -> bool:
        """Return whether the slice goes on. The first call in a loop iteration begins it."""
        if self._slice_end:
            return self._clock() < self._slice_end
        self._slice_end = self._clock() + self._seconds
        self._after_events(self._end_slice)
        return True

    def wait_for_step(self) -> None:
        """Wait until the calling greenlet may take a step, such as handle a request."""
        self._wait(1)

    def wait_after_read(self) -> None:
        """Wait until the calling greenlet may parse what it has read from its connection.

        The first read in a slice doesn't count as a step; the step that follows it does.
        """
        self._wait(0)

    def _wait(self, first: int) -> None:
        """Wait for a step; a step that begins a slice counts for `first`."""
        if not self._greenlets:
            return
        current = getcurrent()
        if current is self._running:
            self._steps += 1
            if self._steps == 1:  # the slice began with a read
                return
        else:
            self._running = current
            self._steps = first
        if self._steps <= STEPS_PER_SLICE and not self._ready and self.has_time_left():
            return
        waiting = WaitingGreenlet()
        self._enqueue(waiting, backlogged=self._steps > 1)
        waiting.get()
        self._running = current
        self._steps = first

    def _enqueue(self, connection: Readable, backlogged: bool) -> None:
        connection.pause()
        if backlogged:
            self._backlogged.append((self._clock(), connection))
        else:
            self._ready.append(connection)
        if not self._serving:
            self._serving = True
            self._next_iteration(self._serve)

    def _end_slice(self) -> None:
        self._slice_end = 0.0
        self._running = None

    def _serve(self) -> None:
        try:
            while self._ready and self.has_time_left():
                self._ready.popleft().resume_and_read()
        finally:
            self._after_events(self._serve_backlog)

    def _serve_backlog(self) -> None:
        """Have the backlogged connections read, each once, for a slice of their own.

        Everything that was written to others until now has left before.
        """
        self._end_slice()
        try:
            for _ in range(self._due):
                if not self._may_serve_backlog():
                    break
                _, connection = self._backlogged.popleft()
                connection.resume_and_read()
        finally:
            self._due = len(self._backlogged)
            self._serving = bool(self._ready or self._backlogged)
            if self._serving:
                self._next_iteration(self._serve)

    def _may_serve_backlog(self) -> bool:
        """Return whether the first backlogged connection may be read.

        It may not while others are ready, unless it is starved. All starved connections share one
        slice, as there may be any number of them.
        """
        since, _ = self._backlogged[0]
        is_starved = self._clock() - since >= STARVED
        return self.has_time_left() and (is_starved or not self._ready)


class WaitingGreenlet(Waiter):  # type: ignore[misc]
    """A greenlet that waits for a step. If it is killed meanwhile, its step is skipped."""

    __slots__ = ()

    def read(self) -> None:
        self.switch(None)

    def resume_and_read(self) -> None:
        self.switch(None)

    def pause(self) -> None:
        """Do nothing: the loop doesn't watch it."""
