"""The reads of a server's connections are scheduled."""

from __future__ import annotations

import gevent
import pytest
from gevent import socket
from gevent.event import AsyncResult

from chatapp.transport.http.gunicorn import socket_class
from chatapp.transport.loop.hub import call_after_events, call_in_next_iteration
from chatapp.transport.loop.reading import ReadScheduler

READS = {
    "recv": lambda sock: sock.recv(1),
    "recv_into": lambda sock: sock.recv_into(bytearray(1)),
}


@pytest.fixture
def scheduler():
    return ReadScheduler(call_after_events, call_in_next_iteration, seconds=0)


@pytest.fixture
def pair(scheduler):
    """A scheduled socket and its peer, which has sent a lot."""
    ours, peer = socket.socketpair()
    ours.__class__ = socket_class(scheduler, type(ours))
    with ours, peer:
        peer.sendall(b"x" * 1000)
        yield ours, peer


@pytest.mark.parametrize("kind", READS)
def test_reads_yield_to_the_loop(pair, kind):
    ours, _ = pair
    count = 0

    def read() -> None:
        nonlocal count
        for _ in range(10):
            READS[kind](ours)
            count += 1

    seen: list[int] = []
    reading = gevent.spawn(read)
    timer = gevent.get_hub().loop.timer(0)
    timer.start(lambda: seen.append(count))
    reading.join(timeout=10)
    timer.close()
    assert count == 10
    assert seen[0] < 10


def test_read_on_the_loop_does_not_wait(pair):
    """A WebSocket over TLS is read so, as it keeps the server's own socket."""
    ours, _ = pair
    ours.settimeout(0)
    got = AsyncResult()
    gevent.get_hub().loop.run_callback(lambda: got.set([ours.recv(1) for _ in range(10)]))
    assert got.get(timeout=10) == [b"x"] * 10


def test_end_of_stream_is_read_at_once(pair):
    ours, peer = pair
    peer.close()
    assert len(ours.recv(65536)) == 1000
    assert ours.recv(1) == b""
