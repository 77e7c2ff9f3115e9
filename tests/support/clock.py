"""A clock whose time passes only where a test says so, and a runtime on that clock."""

from __future__ import annotations

from typing import Any

from chatapp.transport.loop.clock import Clock
from chatapp.transport.loop.limits import Limits
from chatapp.transport.loop.runtime import Runtime


class Time:
    """`clock`'s time: it passes while the clock's task waits for what is due next."""

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

    def passes(self) -> None:
        """Until nothing more is due."""
        while self.tasks:
            self.tasks.pop()()
