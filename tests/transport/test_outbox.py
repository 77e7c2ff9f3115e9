"""The two bounds on data that waits for a slow client (docs/wire.md, Bounds)."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from chatapp.transport.eio.server import EngineServer


class StuckClient:
    """A client that never reads, and for which the kernel takes no more data."""

    def __init__(self, **limits: float) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.near.send(b"x" * 4096)
        self.cut = threading.Event()
        self.outbox = EngineServer(**limits).runtime.outbox(self.near, self.cut.set)

    def close(self) -> None:
        self.outbox.release()
        self.far.close()


@pytest.fixture
def stuck():
    made = []

    def make(**limits: float) -> StuckClient:
        made.append(StuckClient(**limits))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_client_is_cut_when_more_than_128_kib_wait(stuck):
    client = stuck(stall=60)
    for _ in range(2):
        client.outbox.write(b"x" * 65536)
    assert not client.cut.wait(0.2)
    client.outbox.write(b"x")
    assert client.cut.wait(5)


def test_client_is_cut_when_nothing_moves_for_2_seconds(stuck):
    client = stuck(outbox_bytes=2**30)
    begun = time.monotonic()
    client.outbox.write(b"x")
    assert client.cut.wait(8)
    assert time.monotonic() - begun > 1.8
