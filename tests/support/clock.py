"""A clock for tests of timers, without waiting.

Use `FakeTime` where code takes a `Clock`: `run` fires all its timers at once.
"""

from __future__ import annotations

from chatapp.transport.loop.clock import Clock


class FakeTime:
    """The time of `clock`, which jumps ahead to the next timer instead of waiting for it.

    It also stands in for the event that the clock's task waits for.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.tasks: list = []
        self.clock = Clock(self.tasks.append, lambda: self, lambda: self.now)

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def run(self) -> None:
        """Let time pass until no timer is left."""
        while self.tasks:
            self.tasks.pop()()
