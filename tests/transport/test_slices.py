"""However many are ready at once, the loop goes on, and each has its turn."""

from __future__ import annotations

import pytest

from chatapp.transport.slices import Slices


class Loop:
    """Tells in each turn who is ready, the last one first, as libev does."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: list[Reader] = []
        self.ends: list = []
        self.slices = Slices(self.ends.append, seconds=0.01, clock=lambda: self.now)

    def turn(self) -> float:
        """Its length in seconds."""
        began = self.now
        for reader in reversed(self.ready.copy()):
            self.slices.ready(reader)
        for end in self.ends:
            end()
        self.ends.clear()
        return self.now - began


class Reader:
    """Has `left` things to read, each of which takes 1 ms."""

    def __init__(self, loop: Loop, left: int = 1) -> None:
        self.loop = loop
        self.left = left
        loop.ready.append(self)

    def read(self) -> None:
        self.loop.now += 0.001
        self.left -= 1
        if self.left == 0:
            self.loop.ready.remove(self)


@pytest.fixture
def loop():
    return Loop()


def test_few_are_read_at_once(loop):
    for _ in range(5):
        Reader(loop)
    assert loop.turn() == pytest.approx(0.005)
    assert not loop.ready


def test_a_turn_is_short_however_many_are_ready(loop):
    for _ in range(95):
        Reader(loop)
    turns = []
    while loop.ready:
        turns.append(loop.turn())
    assert max(turns) == pytest.approx(0.01, abs=0.0011)
    assert len(turns) == 10


def test_nobody_waits_for_those_who_always_have_something(loop):
    patient = Reader(loop)
    for _ in range(30):
        Reader(loop, left=1000)
    for _ in range(4):
        loop.turn()
    assert patient.left == 0
