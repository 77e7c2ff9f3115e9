"""However many are ready at once, the loop goes on, and each has its turn."""

from __future__ import annotations

from functools import partial

import pytest

from chatapp.transport.loop.reading import Slices


class Loop:
    """Tells in each turn whom it watches and who is ready, the last one first, as libev does."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: list[Reader] = []
        self.told = 0
        self.ends: list = []
        self.due: list = []
        self.slices = Slices(
            self.ends.append, self.due.append, seconds=0.01, clock=lambda: self.now
        )

    def turn(self) -> float:
        """Its length in seconds."""
        began = self.now
        watched = [reader for reader in reversed(self.ready) if reader.watched]
        self.told += len(watched)
        calls = [partial(self.slices.ready, reader) for reader in watched] + self.due
        self.due.clear()
        for call in calls:
            call()
        ends = self.ends.copy()
        self.ends.clear()
        for end in ends:
            end()
        return self.now - began


class Reader:
    """Has `left` things to read, each of which takes 1 ms."""

    def __init__(self, loop: Loop, left: int = 1) -> None:
        self.loop = loop
        self.left = left
        self.watched = True
        loop.ready.append(self)

    def unwatch(self) -> None:
        self.watched = False

    def read_on(self) -> None:
        self.watched = True
        self.read()

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


def test_the_loop_tells_of_each_who_is_ready_once(loop):
    for _ in range(95):
        Reader(loop)
    while loop.ready:
        loop.turn()
    assert loop.told == 95


def test_nobody_waits_for_those_who_always_have_something(loop):
    patient = Reader(loop)
    for _ in range(30):
        Reader(loop, left=1000)
    for _ in range(4):
        loop.turn()
    assert patient.left == 0
