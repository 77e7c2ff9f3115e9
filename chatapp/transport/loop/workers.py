"""Greenlets that handle what comes in, under gevent. They are kept: making one costs 20 µs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gevent import get_hub
from greenlet import getcurrent, greenlet

KEPT = 64
"""How many greenlets wait for work at most."""


class Workers:
    """Runs what may block while the loop goes on."""

    def __init__(self) -> None:
        self.idle: list[greenlet] = []
        self._calls: deque[Callable[[], None]] = deque()

    def run(self, call: Callable[[], None]) -> None:
        """Run `call()`, which doesn't raise, in a worker; from the loop, at once.

        It returns when `call` has, or waits for something.
        """
        self._calls.append(call)
        hub = get_hub()
        worker = self.idle.pop() if self.idle else greenlet(self._work, hub)
        if getcurrent() is hub:
            worker.switch()
        else:
            hub.loop.run_callback(worker.switch)

    def _work(self) -> None:
        hub = get_hub()
        while True:
            self._calls.popleft()()  # no name for it, so that nothing of it is kept
            if len(self.idle) == KEPT:
                return
            self.idle.append(getcurrent())
            hub.switch()
