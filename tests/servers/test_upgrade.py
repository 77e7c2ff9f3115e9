"""Engine.IO 4: the upgrade from polling to WebSocket, under each kind of server.

Section names are those of the protocol's document (socketio/engine.io-protocol, v4). Where it is
silent, docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import time

import pytest
from support.chaos.fuzz import count_alive, find_leaks
from support.raw import CLOSE, Polling, RawWebSocket, error_body, eventually, frame, refused_upgrade
from support.servers import KINDS, UNLIMITED, Server


def upgrade_path(session: Polling) -> str:
    return session.path.replace("polling", "websocket")


def test_upgrade_moves_the_session_to_websocket(server):
    """Upgrade: probe, pong, noop to the waiting poll, upgrade; queued packets come first."""
    session = Polling(server)
    waiting, answers = session.start_poll()
    client = RawWebSocket(server, connect=False, path=upgrade_path(session))
    client.send("2probe")
    assert client.receive_text() == "3probe"
    waiting.join(10)
    assert answers == [(200, "6")]
    session.post('421["join"]')
    client.send("5")
    assert client.receive_text().startswith("431")
    client.send('422["join"]')
    assert client.receive_text().startswith("432")
    assert session.poll() == (400, error_body(3, "Bad request"))
    assert session.post("3") == (400, error_body(3, "Bad request"))
    client.send('423["join"]')
    assert client.receive_text().startswith("433")
    client.close()


@pytest.mark.parametrize(
    "messages", [["2"], ["5"], ["x"], ["2probe", "2probe"], ["2probe", "x"], [""]]
)
def test_invalid_probe_keeps_the_session_on_polling(server, messages):
    """Upgrade. Reference: Socket.maybeUpgrade closes the new transport only."""
    session = Polling(server)
    client = RawWebSocket(server, connect=False, path=upgrade_path(session))
    for message in messages:
        client.send(message)
    assert client.receive_close_code() == 1007
    assert session.post('421["join"]') == (200, "ok")
    assert session.poll()[1].startswith("431")


def test_broken_probe_keeps_the_session_on_polling(server):
    session = Polling(server)
    client = RawWebSocket(server, connect=False, path=upgrade_path(session))
    client.send("2probe")
    assert client.receive_text() == "3probe"
    client.close()
    session.post('421["join"]')
    eventually(lambda: session.poll()[1].startswith("431"))


def open_refused_websocket(server, path: str) -> RawWebSocket:
    """Open a WebSocket that the server accepts and closes at once."""
    client = RawWebSocket(server, connect=False, path=path)
    assert client.receive_frame() == (CLOSE, b"\x03\xe8")
    return client


def test_session_has_one_upgrade_at_a_time(server):
    """Reference: Server.onWebSocket accepts another one and closes it."""
    session = Polling(server)
    path = upgrade_path(session)
    for messages in ([], ["2probe"]):
        probe = RawWebSocket(server, connect=False, path=path)
        for message in messages:
            probe.send(message)
            assert probe.receive_text() == "3probe"
        for _ in range(3):
            open_refused_websocket(server, path).close()
        probe.send("x")
        assert probe.receive_close_code() == 1007
    client = RawWebSocket(server, connect=False, path=path)
    client.send("2probe")
    assert client.receive_text() == "3probe"
    client.send("5")
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


def test_upgraded_session_refuses_another_websocket(server):
    """Reference: Server.onWebSocket ignores what the other one sends."""
    session = Polling(server)
    path = upgrade_path(session)
    client = RawWebSocket(server, connect=False, path=path)
    client.send("2probe")
    assert client.receive_text() == "3probe"
    client.send("5")
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    other = open_refused_websocket(server, path)
    for message in ("2probe", "5", "41", "1"):
        other.send(message)
    other.send_raw(frame(b"\x03\xe8", CLOSE))
    assert other.receive_frame() is None
    client.send('422["join"]')
    assert client.receive_text().startswith("432")
    client.close()


def test_websocket_session_refuses_another_websocket(server):
    """The reference would move the session to the new connection."""
    client = RawWebSocket(server)
    path = f"/socket.io/?EIO=4&transport=websocket&sid={client.open_packet['sid']}"
    open_refused_websocket(server, path).close()
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_refused_websocket_leaks_nothing(tmp_path, kind):
    """The clients answer the close frame, disconnect, or do nothing."""
    server = Server(kind, tmp_path, UNLIMITED, module="support.apps.watched")
    try:
        client = RawWebSocket(server)
        path = f"/socket.io/?EIO=4&transport=websocket&sid={client.open_packet['sid']}"
        alive_before = count_alive(server)
        for _ in range(10):
            answering, leaving = (
                open_refused_websocket(server, path),
                open_refused_websocket(server, path),
            )
            answering.send_raw(frame(b"\x03\xe8", CLOSE))
            assert answering.receive_frame() is None
            leaving.close()
        silent = [open_refused_websocket(server, path) for _ in range(10)]
        assert find_leaks(server, alive_before) == {}
        for other in silent:
            assert other.receive_frame() is None
    finally:
        server.stop()


def test_probe_is_closed_with_its_session(server):
    """Reference: Socket.maybeUpgrade, onClose."""
    session = Polling(server)
    probe = RawWebSocket(server, connect=False, path=upgrade_path(session))
    probe.send("2probe")
    assert probe.receive_text() == "3probe"
    begun = time.monotonic()
    session.post("1")
    assert probe.receive_close_code() == 1000
    assert time.monotonic() - begun < 3


def test_probe_answers_the_waiting_poll_at_once(server):
    """Upgrade: the server answers the poll with noop, and the client waits for that."""
    waits = []
    for _ in range(3):
        session = Polling(server)
        waiting, _ = session.start_poll()
        client = RawWebSocket(server, connect=False, path=upgrade_path(session))
        client.send("2probe")
        assert client.receive_text() == "3probe"
        begun = time.monotonic()
        waiting.join(10)
        waits.append(time.monotonic() - begun)
        client.close()
    assert min(waits) < 0.4


def test_invalid_upgrade_is_refused_with_http_400(server):
    """Reference: abortUpgrade answers 400 with the error's message."""
    session = Polling(server)
    client = RawWebSocket(server)
    for path, message in {
        "/socket.io/?EIO=4&transport=websocket&sid=unknown": "Session ID unknown",
        "/socket.io/?EIO=5&transport=websocket": "Unsupported protocol version",
        "/socket.io/?EIO=4&transport=polling": "Bad request",
        "/socket.io/?EIO=4&transport=x": "Transport unknown",
    }.items():
        assert refused_upgrade(server, path) == (400, message)
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()
    assert session.is_alive()


def test_upgrade_of_a_closed_session_keeps_its_packets_for_polls(serve):
    """Reference: an upgrade of a closed session is refused with "Session ID unknown"."""
    server = serve("gunicorn", EVENT_LIMIT="20/60")
    session = Polling(server)
    session.post("\x1e".join(['42["nonsense"]'] * 60))  # over the rate limit
    refused = (400, "Session ID unknown")
    assert refused_upgrade(server, upgrade_path(session)) == refused
    assert refused_upgrade(server, session.path) == refused
    status, body = session.poll()
    assert (status, body[:12]) == (200, '42["refused"')
