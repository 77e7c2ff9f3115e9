"""Reading in slices of time, so that gevent's loop comes to its timers however many are ready."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

SLICE = 0.01  # seconds


class Readable(Protocol):
    def read(self) -> None:
        """Read what is there, if anything."""

    def unwatch(self) -> None:
        """Not be told by the loop that there's something to read, until `read_on`."""

    def read_on(self) -> None:
        """Be told by the loop again, and read what is there."""


class Slices:
    """Lets those who are ready read for a slice of each turn of the loop, in the order in which
    they became ready. The loop doesn't hear of those who wait, else each would cost it something
    in each turn.

    `at_its_end(call)` has `call()` called when the turn of the loop ends, `in_the_next(call)` in
    its next turn.
    """

    def __init__(
        self,
        at_its_end: Callable[[Callable[[], None]], Any],
        in_the_next: Callable[[Callable[[], None]], Any],
        seconds: float = SLICE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._at_its_end = at_its_end
        self._in_the_next = in_the_next
        self._seconds = seconds
        self._clock = clock
        self._ends = 0.0  # 0: the turn's slice hasn't begun
        self._waiting: deque[Readable] = deque()

    def ready(self, readable: Readable) -> None:
        """`readable` has something to read."""
        if not self._waiting and self._goes_on():
            readable.read()
        else:
            readable.unwatch()
            self._waiting.append(readable)

    def _goes_on(self) -> bool:
        now = self._clock()
        if not self._ends:
            self._ends = now + self._seconds
            self._at_its_end(self._end)
        return now < self._ends

    def _end(self) -> None:
        self._ends = 0.0
        if self._waiting:
            self._in_the_next(self._read_on)

    def _read_on(self) -> None:
        while self._waiting and self._goes_on():
            self._waiting.popleft().read_on()
