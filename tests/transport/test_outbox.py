"""The bounds on what waits for who doesn't read, one at a time (docs/wire.md, Bounds)."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from chatapp.transport.eio.server import EngineServer


class Deaf:
    """Who never reads: the kernel takes nothing more for it."""

    def __init__(self, **limits: float) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.near.send(b"x" * 4096)
        self.cut = threading.Event()
        self.outbox = EngineServer(**limits).runtime.outbox(self.near, self.cut.set)

    def goes(self) -> None:
        self.outbox.release()
        self.far.close()


@pytest.fixture
def deaf():
    made = []

    def make(**limits: float) -> Deaf:
        made.append(Deaf(**limits))
        return made[-1]

    yield make
    for each in made:
        each.goes()


def test_one_is_cut_when_more_than_128_kib_wait(deaf):
    hearer = deaf(stall=60)
    for _ in range(2):
        hearer.outbox.write(b"x" * 65536)
    assert not hearer.cut.wait(0.2)
    hearer.outbox.write(b"x")
    assert hearer.cut.wait(5)


def test_one_is_cut_when_nothing_has_moved_for_2_seconds(deaf):
    hearer = deaf(outbox_bytes=2**30)
    begun = time.monotonic()
    hearer.outbox.write(b"x")
    assert hearer.cut.wait(8)
    assert time.monotonic() - begun > 1.8
