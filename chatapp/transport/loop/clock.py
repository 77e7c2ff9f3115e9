"""Timers: pings, deadlines and time-outs, all called by one task."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from time import monotonic
from typing import Any

GRAIN = 0.01  # seconds
"""How late a timer may be called, so that many timers wake the process together."""
logger = logging.getLogger(__name__)


class Timer:
    """A call that is due later, unless it is cancelled."""

    __slots__ = ("call", "due")

    def __init__(self, due: float, call: Callable[[], Any]) -> None:
        self.due = due
        self.call: Callable[[], Any] | None = call

    def cancel(self) -> None:
        self.call = None


class Clock:
    """Makes calls later, from a task of its own that runs only while a timer is pending.

    `spawn(call)` starts a greenlet or thread; `event()` and `lock()` make what fits it. The calls
    must not block. They come up to GRAIN late, or later on a busy machine.
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
        # By their delay. There are few different delays, and timers of one are due in order.
        self._timers: dict[float, deque[Timer]] = {}
        self._running = False

    def call_later(self, seconds: float, call: Callable[[], Any]) -> Timer:
        """Have `call()` called once, `seconds` from now."""
        timer = Timer(self.now() + seconds, call)
        with self._lock:
            queue = self._timers.get(seconds)
            if queue is None:
                queue = self._timers[seconds] = deque()
                self._wake.set()
            queue.append(timer)
            start = not self._running
            self._running = True
        if start:
            self._spawn(self._run)
        return timer

    def _run(self) -> None:
        while True:
            with self._lock:
                queue = self._next_queue()
                if queue is None:
                    self._running = False
                    return
                wait = queue[0].due - self.now()
                if wait > 0:
                    self._wake.clear()
                else:
                    call = queue.popleft().call
            if wait > 0:
                self._wake.wait(max(wait, GRAIN))
            elif call:
                try:
                    call()
                except Exception:
                    logger.exception("A timer failed")
                call = None  # else the call's owner is kept until the next timer is due

    def _next_queue(self) -> deque[Timer] | None:
        """Return the queue with the timer that is due first, and drop cancelled timers."""
        for seconds, queue in list(self._timers.items()):
            while queue and queue[0].call is None:
                queue.popleft()
            if not queue:
                del self._timers[seconds]
        return min(self._timers.values(), key=lambda queue: queue[0].due, default=None)
