"""Greenlets that handle what comes in, under gevent. They are kept: making one costs 20 µs."""

from __future__ import annotations

from collections.abc import Callable

from gevent import get_hub
from greenlet import getcurrent, greenlet

KEPT = 64
"""How many greenlets wait for work at most."""


class Workers:
    """Runs what may block while the loop goes on."""

    def __init__(self) -> None:
        self._idle: list[greenlet] = []

    def run(self, call: Callable[[], None]) -> None:
        """Run `call()`, which doesn't raise, in a worker; from the loop, at once.

        It returns when `call` has, or waits for something.
        """
        hub = get_hub()
        worker = self._idle.pop() if self._idle else greenlet(self._work, hub)
        if getcurrent() is hub:
            worker.switch(call)
        else:
            hub.loop.run_callback(worker.switch, call)

    def _work(self, call: Callable[[], None]) -> None:
        hub = get_hub()
        while True:
            call()
            if len(self._idle) == KEPT:
                return
            self._idle.append(getcurrent())
            call = hub.switch()
