"""A channel that closes while others write to it, in threads."""

from __future__ import annotations

import socket
import sys
import threading

import pytest
from raw import CLOSE

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.websocket.channel import Channel
from chatapp.transport.websocket.protocol import WebSocket, encoded, frame

ROUNDS, WRITERS = 100, 3


class Receiver:
    def received(self, message: str | bytes) -> None: ...
    def charge(self, units: int) -> bool: ...
    def ended(self) -> None: ...


@pytest.fixture
def hasty():
    """Threads change places as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_nothing_follows_a_close_frame(hasty):
    """RFC 6455, section 5.5.1."""
    tasks = EngineServer()
    for _ in range(ROUNDS):
        near, far = socket.socketpair()
        channel = Channel(near, WebSocket(1000), tasks)
        near.close()
        channel.open(Receiver(), b"")
        together = threading.Barrier(WRITERS + 1)

        def write(channel: Channel = channel, together: threading.Barrier = together) -> None:
            together.wait()
            for _ in range(20):
                channel.write(frame("x"))

        writing = [threading.Thread(target=write) for _ in range(WRITERS)]
        for thread in writing:
            thread.start()
        together.wait()
        channel.close()
        for thread in writing:
            thread.join()
        received = b""
        while got := far.recv(65536):
            received += got
        assert received.endswith(encoded(CLOSE, b"\x03\xe8"))
        channel.abort()
        channel.outbox.release()
        far.close()
