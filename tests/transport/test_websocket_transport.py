"""A WebSocket transport: its close in threads, and its scheduling under gevent."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from support import raw
from support.raw import CLOSE

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.loop.outbox import Outbox
from chatapp.transport.loop.reading import FRAMES_PER_SLICE
from chatapp.transport.websocket.protocol import WebSocket, encoded, frame
from chatapp.transport.websocket.transport import WebSocketTransport

ROUNDS, WRITERS = 100, 3


class Receiver:
    def received(self, message: str | bytes) -> None: ...
    def charge(self, units: int) -> bool: ...
    def ended(self) -> None: ...


@pytest.fixture
def hasty():
    """Have threads switch as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_close_frame_is_the_last_frame(hasty):
    """RFC 6455, section 5.5.1."""
    runtime = EngineServer().runtime
    for _ in range(ROUNDS):
        near, far = socket.socketpair()
        transport = WebSocketTransport(near, WebSocket(1000), runtime)
        near.close()
        transport.open(Receiver(), b"")
        together = threading.Barrier(WRITERS + 1)

        def write(
            transport: WebSocketTransport = transport, together: threading.Barrier = together
        ) -> None:
            together.wait()
            for _ in range(20):
                transport.write(frame("x"))

        writing = [threading.Thread(target=write) for _ in range(WRITERS)]
        for thread in writing:
            thread.start()
        together.wait()
        transport.close()
        for thread in writing:
            thread.join()
        received = b""
        while got := far.recv(65536):
            received += got
        assert received.endswith(encoded(CLOSE, b"\x03\xe8"))
        transport.abort()
        transport.outbox.release()
        far.close()


class Scheduler:
    """Counts how often a transport is queued for its next slice."""

    def __init__(self) -> None:
        self.queued = 0

    def ready(self, transport: WebSocketTransport) -> None:
        transport.read()

    def used_up(self, transport: WebSocketTransport) -> None:
        self.queued += 1
        transport.pause()

    def has_time_left(self) -> bool:
        return True


class Pausing:
    """Pauses and resumes its transport while it takes a message."""

    def __init__(self, transport: WebSocketTransport) -> None:
        self.transport = transport

    def received(self, message: str | bytes) -> None:
        self.transport.pause_reading()
        self.transport.resume_reading()

    def charge(self, units: int) -> bool:
        return True

    def ended(self) -> None: ...


def test_transport_paused_and_resumed_while_read_is_queued_once():
    scheduler = Scheduler()
    runtime = SimpleNamespace(
        gevent=True,
        scheduler=scheduler,
        lock=nullcontext,
        outbox=lambda sock, on_cut: Outbox(sock, runtime, on_cut),
    )
    near, far = socket.socketpair()
    with near, far:
        transport = WebSocketTransport(near, WebSocket(1000), runtime)
        transport.open(Pausing(transport), b"")
        far.sendall(raw.frame(b"x") * 2 * FRAMES_PER_SLICE)
        transport.read()
        assert scheduler.queued == 1
        transport.abort()
