"""The cases of Engine.IO 3's own suite, each as one test, over each kind of server.

The suite is test-suite/test-suite.js of socketio/engine.io-protocol (MIT), branch v3, at commit
05468d149d1006b3a0e7a66a7681be4356ba2350. It has 24 cases and skips one of them, a second poll at
once. The reference server fails that case, too: the suite expects a 500 for the next poll.
"""

from __future__ import annotations

import json
import socket
import time

import pytest
from support.apps.suites import MAX_PAYLOAD, PING_INTERVAL, PING_TIMEOUT
from support.clients import decode_payload
from support.engineio_cases import read_response
from support.raw import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawWebSocket,
    fetch_bytes,
    frame,
    refused_upgrade,
    request,
)
from support.servers import KINDS, Server

PATH = "/engine.io/?EIO=3&transport="


@pytest.fixture(params=KINDS)
def server(request, serve):
    server = serve(request.param, module="support.apps.suites")
    yield server
    assert "Traceback" not in server.log.read_text()


class Polling:
    """A session over polling, whose client takes binary only if `binary` is true."""

    def __init__(self, server: Server, binary: bool = False) -> None:
        self.server = server
        status, _, body = request(server, "GET", f"{PATH}polling{'' if binary else '&b64=1'}")
        assert status == 200
        (opening,) = decode_payload(body)
        assert opening[0] == "0"
        self.opening = json.loads(opening[1:])
        self.path = f"{PATH}polling&sid={self.opening['sid']}"

    def post(self, body: bytes) -> tuple[int, str]:
        return request(self.server, "POST", self.path, body)[::2]

    def poll(self) -> tuple[int, bytes]:
        return fetch_bytes(self.server, "GET", self.path)[::2]

    def start_poll(self) -> socket.socket:
        """Return a connection with a poll that the server has taken and not answered."""
        link = socket.create_connection(("127.0.0.1", self.server.port), timeout=15)
        link.sendall(f"GET {self.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert request(self.server, "GET", "/healthz")[0] == 200  # a later one is answered
        return link


def connect_websocket(server: Server, session: Polling | None = None) -> RawWebSocket:
    """Return a WebSocket to which `session` may upgrade, or with a session of its own."""
    sid = f"&sid={session.opening['sid']}" if session else ""
    client = RawWebSocket(server, connect=False, path=f"{PATH}websocket{sid}")
    if session is None:
        opening = client.receive_text()
        assert opening[0] == "0"
        client.opening = json.loads(opening[1:])
    return client


def upgrade(session: Polling) -> RawWebSocket:
    """Return the WebSocket to which `session` has upgraded."""
    client = connect_websocket(session.server, session)
    client.send("2probe")
    assert client.receive_text() == "3probe"
    client.send("5")
    client.send_raw(frame(b"", PING))
    assert client.receive_frame() == (PONG, b"")  # by then the packets before are taken
    return client


def check_echo(client: RawWebSocket) -> None:
    client.send("4hello")
    assert client.receive_text() == "4hello"


def check_open_packet(opening: dict, upgrades: list[str]) -> None:
    assert isinstance(opening.pop("sid"), str)
    assert opening == {
        "upgrades": upgrades,
        "pingInterval": PING_INTERVAL * 1000,
        "pingTimeout": PING_TIMEOUT * 1000,
        "maxPayload": MAX_PAYLOAD,
    }


# Handshake


def test_handshake_over_polling_opens_a_session(server):
    check_open_packet(Polling(server, binary=True).opening, ["websocket"])


def test_handshake_over_polling_with_an_invalid_transport_fails(server):
    for query in ("EIO=3", "EIO=3&transport=abc"):
        assert request(server, "GET", f"/engine.io/?{query}")[0] == 400


def test_handshake_over_polling_with_an_invalid_method_fails(server):
    assert request(server, "POST", f"{PATH}polling")[0] == 400


def test_handshake_over_websocket_opens_a_session(server):
    client = connect_websocket(server)
    check_open_packet(client.opening, [])
    client.close()


def test_handshake_over_websocket_with_an_invalid_protocol_fails(server):
    for query in ("transport=websocket", "EIO=abc&transport=websocket"):
        assert refused_upgrade(server, f"/engine.io/?{query}")[0] == 400


def test_handshake_over_websocket_with_an_invalid_transport_fails(server):
    for query in ("EIO=3", "EIO=3&transport=abc"):
        assert refused_upgrade(server, f"/engine.io/?{query}")[0] == 400


# Messages over polling


@pytest.mark.parametrize(
    ("binary", "payload", "echoed"),
    [
        (False, b"6:4hello", b"6:4hello"),
        (False, b"6:4test16:4test26:4test3", b"6:4test16:4test26:4test3"),
        (False, b"6:4hello10:b4AQIDBA==", b"6:4hello10:b4AQIDBA=="),
        (True, b"6:4hello10:b4AQIDBA==", b"\0\6\xff4hello\1\5\xff\4\1\2\3\4"),
    ],
    ids=["one text packet", "several", "binary as base64", "binary"],
)
def test_payload_is_echoed(server, binary, payload, echoed):
    session = Polling(server, binary)
    assert session.post(payload) == (200, "ok")
    assert session.poll() == (200, echoed)


def test_invalid_packet_over_polling_ends_the_session(server):
    session = Polling(server)
    assert session.post(b"abc")[0] == 400
    assert session.poll()[0] == 400


def test_second_poll_at_once_ends_the_session(server):
    session = Polling(server)
    with session.start_poll() as link:
        assert session.poll()[0] == 400
        assert read_response(link) == (200, "1:1")
    assert session.poll()[0] == 400  # the suite expects 500


# Messages over WebSocket


def test_text_packet_over_websocket_is_echoed(server):
    client = connect_websocket(server)
    check_echo(client)
    client.close()


def test_binary_packet_over_websocket_is_echoed(server):
    client = connect_websocket(server)
    client.send(b"\4\1\2\3\4")
    assert client.receive_frame() == (BINARY, b"\4\1\2\3\4")
    client.close()


def test_invalid_packet_over_websocket_ends_the_session(server):
    client = connect_websocket(server)
    client.send("abc")
    assert client.receive_close_code() == 1000


# Heartbeat


def test_pings_over_polling_are_answered_by_pongs(server):
    session = Polling(server)
    for _ in range(3):
        assert session.post(b"1:2") == (200, "ok")
        assert session.poll() == (200, b"1:3")


def test_session_over_polling_ends_at_the_ping_timeout(server):
    session = Polling(server)
    time.sleep(PING_INTERVAL + PING_TIMEOUT)
    assert session.post(b"1:2")[0] == 400


def test_pings_over_websocket_are_answered_by_pongs(server):
    client = connect_websocket(server)
    for _ in range(3):
        client.send_raw(frame(b"2", TEXT))
        assert client.receive_frame() == (TEXT, b"3")
    client.close()


def test_session_over_websocket_ends_at_the_ping_timeout(server):
    assert connect_websocket(server).receive_close_code() == 1000


# Close


def test_close_packet_over_polling_ends_the_session(server):
    session = Polling(server)
    with session.start_poll() as link:
        assert session.post(b"1:1")[0] == 200
        assert read_response(link) == (200, "1:6")
    assert session.poll()[0] == 400


def test_close_packet_over_websocket_ends_the_session(server):
    client = connect_websocket(server)
    client.send("1")
    assert client.receive_close_code() == 1000


# Upgrade


def test_session_upgrades_from_polling_to_websocket(server):
    session = Polling(server)
    client = connect_websocket(server, session)
    client.send("2probe")
    assert client.receive_text() == "3probe"
    assert session.poll() == (200, b"1:6")
    client.send("5")
    check_echo(client)
    client.close()


def test_upgraded_session_takes_no_polls(server):
    session = Polling(server)
    client = upgrade(session)
    assert session.poll()[0] == 400
    check_echo(client)
    client.close()


def test_upgraded_session_takes_no_other_websocket(server):
    session = Polling(server)
    client = upgrade(session)
    other = connect_websocket(server, session)
    assert other.receive_frame()[0] == CLOSE
    check_echo(client)
    client.close()
    other.close()
