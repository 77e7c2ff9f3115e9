"""A clock for tests of timers, without waiting.

Use `FakeTime` where code takes a `Clock`: `run` fires all its timers at once.
"""

from __future__ import annotations

from typing import Any

from chatapp.transport.loop.clock import Clock
from chatapp.transport.loop.limits import Limits
from chatapp.transport.loop.runtime import Runtime


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

    def runtime(self, **limits: Any) -> Runtime:
        """Return a runtime whose tasks run at once."""
        return Runtime(
            Limits(**limits), lambda call, *rest: call(*rest), lambda: self, clock=self.clock
        )

    def run(self) -> None:
        """Let time pass until no timer is left."""
        while self.tasks:
            self.tasks.pop()()
