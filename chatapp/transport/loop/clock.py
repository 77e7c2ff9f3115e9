"""One clock for all that is due later: pings, deadlines, what has stalled."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from time import monotonic
from typing import Any

GRAIN = 0.01  # seconds
"""What is due within it of something else may be called together, so that a crowd's timers don't
each wake the process."""
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

    `spawn(call)` starts a greenlet or thread; `event()` and `lock()` make what fits it. What is
    called must not block. It's late by GRAIN at most, but for what the machine is late.
    """

    def __init__(
        self,
        spawn: Callable[..., Any],
        event: Callable[[], Any],
        now: Callable[[], float] = monotonic,
        lock: Callable[[], Any] = nullcontext,
    ) -> None:
        self._spawn = spawn
        self.now = now
        self._wake = event()
        self._lock = lock()
        # By their seconds: there are few different ones, and what comes first is due first.
        self._timers: dict[float, deque[Timer]] = {}
        self._running = False

    def call_later(self, seconds: float, call: Callable[[], Any]) -> Timer:
        """Have `call()` called once, so many seconds from now."""
        timer = Timer(self.now() + seconds, call)
        with self._lock:
            alike = self._timers.get(seconds)
            if alike is None:
                alike = self._timers[seconds] = deque()
                self._wake.set()
            alike.append(timer)
            start = not self._running
            self._running = True
        if start:
            self._spawn(self._run)
        return timer

    def _run(self) -> None:
        while True:
            with self._lock:
                first = self._first()
                if first is None:
                    self._running = False
                    return
                wait = first[0].due - self.now()
                if wait > 0:
                    self._wake.clear()
                else:
                    call = first.popleft().call
            if wait > 0:
                self._wake.wait(max(wait, GRAIN))
            elif call:
                try:
                    call()
                except Exception:
                    logger.exception("a timer failed")
                call = None  # else what it belongs to is kept until the next one is due

    def _first(self) -> deque[Timer] | None:
        """The timers among which is the next one; those that are cancelled are dropped."""
        for seconds, alike in list(self._timers.items()):
            while alike and alike[0].call is None:
                alike.popleft()
            if not alike:
                del self._timers[seconds]
        return min(self._timers.values(), key=lambda alike: alike[0].due, default=None)
