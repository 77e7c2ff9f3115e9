"""A channel by itself: its close in threads, and its turns under gevent."""

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
    runtime = EngineServer().runtime
    for _ in range(ROUNDS):
        near, far = socket.socketpair()
        channel = Channel(near, WebSocket(1000), runtime)
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


class Scheduler:
    """Counts how often a channel is queued for its next turn."""

    def __init__(self) -> None:
        self.queued = 0

    def ready(self, channel: Channel) -> None:
        channel.read()

    def used_up(self, channel: Channel) -> None:
        self.queued += 1
        channel.unwatch()

    def has_time_left(self) -> bool:
        return True


class Pausing:
    """Pauses its channel and goes on with it while a message is handed to it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def received(self, message: str | bytes) -> None:
        self.channel.pause()
        self.channel.resume()

    def charge(self, units: int) -> bool:
        return True

    def ended(self) -> None: ...


def test_a_channel_that_is_paused_and_resumed_in_its_turn_is_queued_once():
    scheduler = Scheduler()
    runtime = SimpleNamespace(
        gevent=True,
        scheduler=scheduler,
        lock=nullcontext,
        outbox=lambda sock, on_cut: Outbox(sock, runtime, on_cut),
    )
    near, far = socket.socketpair()
    with near, far:
        channel = Channel(near, WebSocket(1000), runtime)
        channel.open(Pausing(channel), b"")
        far.sendall(raw.frame(b"x") * 2 * FRAMES_PER_SLICE)
        channel.read()
        assert scheduler.queued == 1
        channel.abort()
