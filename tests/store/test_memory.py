"""The log in memory."""

from __future__ import annotations

import pytest
from contract import ALL, LogContract

from chatapp.store.memory import MemoryLog


class TestMemoryLog(LogContract):
    @pytest.fixture
    def make_log(self):
        return lambda retention=ALL, clock=lambda: 1000.0: MemoryLog(retention, clock)
