"""Reading in slices of time, so that gevent's loop comes to its timers however many are ready."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

SLICE = 0.01  # seconds


class Readable(Protocol):
    def read(self) -> None:
        """Read what is there, if anything."""


class Slices:
    """Lets those who are ready read for a slice of each turn of the loop, in the order in which
    they became ready. Whoever has to wait is told again by the loop that it's ready.

    `at_its_end(call)` has `call()` called when the turn of the loop ends.
    """

    def __init__(
        self,
        at_its_end: Callable[[Callable[[], None]], Any],
        seconds: float = SLICE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._at_its_end = at_its_end
        self._seconds = seconds
        self._clock = clock
        self._ends = 0.0  # 0: the turn's slice hasn't begun
        self._waiting: dict[Readable, None] = {}

    def ready(self, readable: Readable) -> None:
        """`readable` has something to read, as the loop says once in each turn."""
        now = self._clock()
        if not self._ends:
            self._ends = now + self._seconds
            self._at_its_end(self._begin_anew)
        waiting = self._waiting
        if now < self._ends and not waiting:
            readable.read()
            return
        waiting.setdefault(readable)
        if now < self._ends:
            first = next(iter(waiting))
            del waiting[first]
            first.read()

    def _begin_anew(self) -> None:
        self._ends = 0.0
