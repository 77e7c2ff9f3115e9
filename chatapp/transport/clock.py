"""One clock for all that is due later: pings, deadlines, what has stalled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from threading import Lock
from time import monotonic
from typing import Any

logger = logging.getLogger(__name__)


class Timer:
    """Something due; `cancel` takes it back."""

    __slots__ = ("call", "due")

    def __init__(self, due: float, call: Callable[[], Any]) -> None:
        self.due = due
        self.call: Callable[[], Any] | None = call

    def cancel(self) -> None:
        self.call = None


class Clock:
    """Calls back later, from one task of its own, which runs only while something is due.

    `spawn(call)` starts a greenlet or thread; `event()` makes an event of its kind. What is called
    must not block.
    """

    def __init__(
        self,
        spawn: Callable[..., Any],
        event: Callable[[], Any],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._spawn = spawn
        self._now = now
        self._wake = event()
        self._lock = Lock()
        self._order = count()
        self._timers: list[tuple[float, int, Timer]] = []
        self._running = False

    def call_later(self, seconds: float, call: Callable[[], Any]) -> Timer:
        """Have `call()` called once, so many seconds from now."""
        timer = Timer(self._now() + seconds, call)
        with self._lock:
            heappush(self._timers, (timer.due, next(self._order), timer))
            first = self._timers[0][2] is timer
            start = not self._running
            self._running = True
        if start:
            self._spawn(self._run)
        elif first:
            self._wake.set()
        return timer

    def _run(self) -> None:
        while True:
            with self._lock:
                while self._timers and self._timers[0][2].call is None:
                    heappop(self._timers)
                if not self._timers:
                    self._running = False
                    return
                timer = self._timers[0][2]
                wait = timer.due - self._now()
                if wait <= 0:
                    heappop(self._timers)
                else:
                    self._wake.clear()
            if wait > 0:
                self._wake.wait(wait)
            elif timer.call:
                try:
                    timer.call()
                except Exception:
                    logger.exception("a timer failed")
