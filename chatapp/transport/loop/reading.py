"""Fair scheduling of what arrives: each connection gets a slice of the loop's time in its turn.

Under gevent, `recv` and `send` don't switch while the kernel has data or room, so a client that
always has more to say would keep the loop for itself. A slice ends after `SLICE` seconds, or after
`STEPS_PER_SLICE` requests or `FRAMES_PER_SLICE` messages; the connection then waits until all
others have had theirs. A connection that becomes ready goes before those that have used up a
slice, so that an occasional message doesn't wait behind a flood (as sparse flows in RFC 8290,
section 4.1).
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
STARVED = 1.0
"""Seconds after which a connection with a backlog no longer waits for those that have none."""


class Readable(Protocol):
    def read(self) -> None:
        """Read what is there, if anything, for a slice at most."""

    def pause(self) -> None:
        """Stop the loop from reporting that there is something to read, until `resume_and_read`."""

    def resume_and_read(self) -> None:
        """Have the loop report it again, and read what is there, for a slice at most."""


class ReadScheduler:
    """Serves connections in turn, for a slice of each turn of the loop.

    The loop doesn't watch a connection that waits, else each would cost something in each turn.
    `after_events(call)` has `call()` called once the loop has dealt with all events that it knows
    of; `next_turn(call)` has it called in the loop's next turn, as the last of its events.
    `greenlets`: whether `wait_turn` is called in greenlets; in threads it does nothing.
    """

    def __init__(
        self,
        after_events: Callable[[Callable[[], None]], Any],
        next_turn: Callable[[Callable[[], None]], Any],
        greenlets: bool = True,
        seconds: float = SLICE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._after_events = after_events
        self._next_turn = next_turn
        self._greenlets = greenlets
        self._seconds = seconds
        self._clock = clock
        self._ends = 0.0  # of the slice; 0: it hasn't begun
        self._running: Any = None  # the greenlet that took the last step in this slice
        self._steps = 0  # how many it took
        self._ready: deque[Readable] = deque()
        # Those that have used up a slice, and since when they wait.
        self._backlogged: deque[tuple[float, Readable]] = deque()
        self._due = 0  # how many of them had their slice before the loop looked for new events
        self._serving = False

    def ready(self, connection: Readable) -> None:
        """`connection` has something to read: read it now, or in its turn."""
        if not self._ready and self.has_time_left():
            connection.read()
        else:
            self._let_wait(connection, backlogged=False)

    def used_up(self, connection: Readable) -> None:
        """`connection` has had its slice and has more to read: it goes on in its next turn."""
        self._let_wait(connection, backlogged=True)

    def has_time_left(self) -> bool:
        """Whether the slice goes on; the first question in a turn of the loop begins it."""
        if self._ends:
            return self._clock() < self._ends
        self._ends = self._clock() + self._seconds
        self._after_events(self._end)
        return True

    def wait_turn(self) -> None:
        """Return at once if the calling greenlet may take a step, else once it is its turn."""
        self._wait(1)

    def wait_after_read(self) -> None:
        """Return once the calling greenlet may parse what it has read from its connection.

        The first read in a slice is no step: the one that follows it is in the same turn.
        """
        self._wait(0)

    def _wait(self, first: int) -> None:
        """Wait for the turn to take a step, which counts for `first` if it begins a slice."""
        if not self._greenlets:
            return
        current = getcurrent()
        if current is self._running:
            self._steps += 1
            if self._steps == 1:  # its turn began with a read
                return
        else:
            self._running = current
            self._steps = first
        if self._steps <= STEPS_PER_SLICE and not self._ready and self.has_time_left():
            return
        waiting = WaitingGreenlet()
        self._let_wait(waiting, backlogged=self._steps > 1)
        waiting.get()
        self._running = current
        self._steps = first

    def _let_wait(self, connection: Readable, backlogged: bool) -> None:
        connection.pause()
        if backlogged:
            self._backlogged.append((self._clock(), connection))
        else:
            self._ready.append(connection)
        if not self._serving:
            self._serving = True
            self._next_turn(self._serve)

    def _end(self) -> None:
        self._ends = 0.0
        self._running = None

    def _serve(self) -> None:
        try:
            while self._ready and self.has_time_left():
                self._ready.popleft().resume_and_read()
        finally:
            self._after_events(self._serve_backlog)

    def _serve_backlog(self) -> None:
        """Serve those with a backlog, each of them once, while a slice of their own lasts; what has
        been said by now to others has left before."""
        self._end()
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
                self._next_turn(self._serve)

    def _may_serve_backlog(self) -> bool:
        """Whether there is time for a connection with a backlog: none while others wait that have
        none, but none is kept waiting for too long. Those that have waited for too long share one
        slice, as there may be any number of them."""
        since, _ = self._backlogged[0]
        is_starved = self._clock() - since >= STARVED
        return self.has_time_left() and (is_starved or not self._ready)


class WaitingGreenlet(Waiter):  # type: ignore[misc]
    """A greenlet that waits for its turn. If it is killed meanwhile, its turn is nobody's."""

    __slots__ = ()

    def read(self) -> None:
        self.switch(None)

    def resume_and_read(self) -> None:
        self.switch(None)

    def pause(self) -> None:
        """The loop doesn't watch it."""
