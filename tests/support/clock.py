"""A clock whose time passes only where a test says so."""

from __future__ import annotations

from chatapp.transport.loop.clock import Clock


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

    def passes(self) -> None:
        """Until nothing more is due."""
        while self.tasks:
            self.tasks.pop()()
