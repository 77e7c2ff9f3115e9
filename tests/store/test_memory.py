"""The log in memory."""

from __future__ import annotations

import pytest
from support.log_contract import ALL, DAY, Clock, LogContract

from chatapp.chat.log import Draft, Retention
from chatapp.store.memory import SWEEP_BATCH, MemoryLog


class TestMemoryLog(LogContract):
    @pytest.fixture
    def make_log(self):
        return lambda retention=ALL, clock=lambda: 1000.0: MemoryLog(retention, clock)


def test_each_append_deletes_some_expired_messages_of_other_rooms():
    clock = Clock(0.0)
    log = MemoryLog(Retention(days=1), clock)
    for n in range(3):
        for key in range(2 * SWEEP_BATCH):
            log.append(Draft(f"room-{n}", "Ann", "x", f"key-{key:05}"))
    clock.now = 2 * DAY

    def kept() -> int:
        return sum(len(room.entries) + len(room.keys) for room in log._rooms.values())

    before = kept()
    for n in range(1, 11):
        log.append(Draft("lobby", "Ann", "x"))
        assert before - kept() <= 2 * SWEEP_BATCH * n
    assert kept() == 10
    for n in range(3):
        assert log.append(Draft(f"room-{n}", "Ann", "x", "key-00001")).id == 2 * SWEEP_BATCH + 1
