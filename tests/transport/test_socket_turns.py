"""A server's connections are read in turns."""

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
    """A socket that is read in turns, and its peer, which has sent a lot."""
    ours, peer = socket.socketpair()
    ours.__class__ = socket_class(scheduler, type(ours))
    with ours, peer:
        peer.sendall(b"x" * 1000)
        yield ours, peer


@pytest.mark.parametrize("kind", READS)
def test_reads_leave_the_loop_a_turn(pair, kind):
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


def test_a_read_on_the_loop_does_not_wait(pair):
    """As of a WebSocket over TLS, whose socket is the server's own."""
    ours, _ = pair
    ours.settimeout(0)
    got = AsyncResult()
    gevent.get_hub().loop.run_callback(lambda: got.set([ours.recv(1) for _ in range(10)]))
    assert got.get(timeout=10) == [b"x"] * 10


def test_the_end_of_what_comes_is_read_at_once(pair):
    ours, peer = pair
    peer.close()
    assert len(ours.recv(65536)) == 1000
    assert ours.recv(1) == b""
