"""The log in memory."""

from __future__ import annotations

from contract import LogContract

from chatapp.store.memory import MemoryLog


class TestMemoryLog(LogContract):
    def make_log(self, retention=0, clock=lambda: 1000.0):
        return MemoryLog(retention, clock)
