"""Engine.IO 4: the heartbeat, with raw clients of each kind of server and short intervals.

Section names are those of the protocol's document (socketio/engine.io-protocol, v4). Where it is
silent, docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import time

from support.raw import Polling, RawWebSocket, assert_name_is_free, error_body


def test_client_without_pongs_is_closed(fast_ping_server):
    """Heartbeat: no pong within pingTimeout."""
    client = RawWebSocket(fast_ping_server)
    client.send('420["setUsername","Silent"]')
    client.receive_until("430")
    begun = time.monotonic()
    assert client.receive_frame() == (1, b"2")
    assert client.receive_close_code() == 1000
    assert 0.3 < time.monotonic() - begun < 1.5
    assert_name_is_free(fast_ping_server, "Silent")


def test_client_that_never_polls_is_closed(fast_ping_server):
    """docs/wire.md, Bounds: the limit is the sum of ping interval and timeout."""
    session = Polling(fast_ping_server)
    begun = time.monotonic()
    while session.is_alive():
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    assert time.monotonic() - begun > 0.7


def test_waiting_poll_receives_the_close_packet_at_ping_timeout(fast_ping_server):
    """Reference: the session is unknown once its close packet has been sent."""
    session = Polling(fast_ping_server)
    assert session.poll() == (200, "2")
    assert session.poll() == (200, "1")
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_session_is_unknown_after_ping_timeout(fast_ping_server):
    """Reference: Socket.onClose keeps no close packet for the next poll."""
    watcher, session = RawWebSocket(fast_ping_server), Polling(fast_ping_server)
    session.post('42["setUsername","Timed out"]')
    watcher.receive_until('42["userLeft"')
    assert session.poll() == (400, error_body(1, "Session ID unknown"))
    watcher.close()
