"""Greenlets that handle messages under gevent. They are reused, as a new one costs 20 µs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gevent import get_hub
from greenlet import getcurrent, greenlet

MAX_IDLE = 64
"""Greenlets that are kept while they have no work."""


class Workers:
    """Runs calls that may block, while the loop goes on."""

    def __init__(self) -> None:
        self.idle: list[greenlet] = []
        self._calls: deque[Callable[[], None]] = deque()

    def run(self, call: Callable[[], None]) -> None:
        """Run `call()`, which must not raise, in a worker.

        On the loop it runs at once, and `run` returns when `call` has returned or waits.
        Elsewhere it runs when the loop does.
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
            self._calls.popleft()()  # no name for the call: an idle worker must not keep it
            if len(self.idle) == MAX_IDLE:
                return
            self.idle.append(getcurrent())
            hub.switch()
