"""Engine.IO 4: the handshake and refused requests, under each kind of server.

Section names are those of the protocol's document (socketio/engine.io-protocol, v4). Where it is
silent, docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import json
import time

import pytest
from support.raw import BASE, Polling, RawWebSocket, error_body, exchange, refused_upgrade, request

REFUSED = [
    # Reference: Server.verify and Server.errors
    ("GET", "/socket.io/", 400, error_body(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4", 400, error_body(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4&transport=", 400, error_body(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4&transport=tcp", 400, error_body(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4&transport=webtransport", 400, error_body(0, "Transport unknown")),
    # The last value of a repeated parameter counts (objectFromEntries)
    ("GET", BASE + "&transport=tcp", 400, error_body(0, "Transport unknown")),
    ("GET", BASE + "&sid=unknown", 400, error_body(1, "Session ID unknown")),
    ("GET", BASE + "&sid=%00%ff", 400, error_body(1, "Session ID unknown")),
    ("GET", BASE + "&sid=a&sid=b", 400, error_body(1, "Session ID unknown")),
    ("POST", BASE + "&sid=unknown", 400, error_body(1, "Session ID unknown")),
    *[
        (method, BASE, 400, error_body(2, "Bad handshake method"))
        for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"]
    ],
    ("HEAD", BASE, 400, ""),
    # The transport and the session are checked before the method
    ("PUT", "/socket.io/?EIO=4&transport=tcp", 400, error_body(0, "Transport unknown")),
    ("DELETE", BASE + "&sid=unknown", 400, error_body(1, "Session ID unknown")),
    ("PUT", "/socket.io/?EIO=4&transport=websocket", 400, error_body(2, "Bad handshake method")),
    ("GET", "/socket.io/?EIO=4&transport=websocket", 400, error_body(3, "Bad request")),
    ("GET", BASE + "&j=0", 400, error_body(3, "JSONP polling isn't supported")),
    *[
        ("GET", f"/socket.io/?transport=polling{version}", 400, error_body(5, VERSION))
        for VERSION in ["Unsupported protocol version"]
        for version in ["", "&EIO=2", "&EIO=5", "&EIO=44", "&EIO=", "&EIO=x", "&EIO=4&EIO=5"]
    ],
]


@pytest.mark.parametrize(("method", "path", "status", "body"), REFUSED)
def test_invalid_request_is_refused_like_the_reference(server, method, path, status, body):
    """Handshake; reference server: Server.verify."""
    assert request(server, method, path)[::2] == (status, body)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_wrong_method_in_a_session_keeps_the_session(server, method):
    """docs/wire.md, HTTP."""
    polling, client = Polling(server), RawWebSocket(server)
    websocket = f"/socket.io/?EIO=4&transport=websocket&sid={client.open_packet['sid']}"
    body = "" if method == "HEAD" else error_body(3, "Bad request")
    for path in (polling.path, websocket):
        assert request(server, method, path)[::2] == (400, body)
    assert polling.is_alive()
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_upgrade_with_wrong_method_is_refused(server, method):
    """RFC 6455, section 4.1; reference: Server.verify, and ws within a session."""
    session = Polling(server)
    base = "/socket.io/?EIO=4&transport=websocket"
    refused = {
        base: "Bad handshake method",
        f"{base}&sid={session.open_packet['sid']}": "Bad request",
    }
    for path, words in refused.items():
        assert refused_upgrade(server, path, method) == (400, words)
    assert session.is_alive()


@pytest.mark.parametrize("more", ["&transport=polling", "&EIO=3&EIO=4", "&sid=a&sid="])
def test_last_value_of_a_repeated_parameter_counts(server, more):
    """Reference: Server.prepare."""
    assert request(server, "GET", BASE + more)[0] == 200


def test_response_to_head_has_no_body(server):
    """RFC 9110, section 9.3.2."""
    head = f"HEAD {BASE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange(server, head.encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.endswith(b"\r\n\r\n")
    assert "no-body" not in server.log.read_text()


def test_handshake_over_polling_returns_the_open_packet(server):
    """Handshake: the open packet and its fields."""
    status, headers, body = request(server, "GET", BASE)
    assert (status, headers["content-type"]) == (200, "text/plain; charset=UTF-8")
    assert headers["cache-control"] == "no-store"
    opening = json.loads(body[1:])
    assert body[0] == "0"
    assert opening.pop("sid")
    assert opening == {
        "upgrades": ["websocket"],
        "pingInterval": 20000,
        "pingTimeout": 10000,
        "maxPayload": 65536,
    }


def test_fractional_ping_interval_is_exact(fast_ping_server):
    """Heartbeat: the server pings after pingInterval."""
    assert Polling(fast_ping_server).open_packet["pingInterval"] == 500
    client = RawWebSocket(fast_ping_server, connect=False)
    opening = json.loads(client.receive_text()[1:])
    assert (opening["pingInterval"], opening["pingTimeout"]) == (500, 400)
    begun = time.monotonic()
    assert client.receive_frame() == (1, b"2")
    assert 0.45 < time.monotonic() - begun < 0.8
    client.close()


def test_session_ids_are_unique(server):
    assert len({Polling(server, connect=False).open_packet["sid"] for _ in range(20)}) == 20


def test_cors_preflight_allows_configured_origin_only(serve):
    """Fetch, CORS protocol."""
    server = serve("gunicorn", ALLOWED_ORIGINS="https://a.example")
    preflight = {
        "Origin": "https://a.example",
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type",
    }
    status, headers, _ = request(server, "OPTIONS", BASE, **preflight)
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://a.example"
    assert headers["access-control-allow-headers"] == "content-type"
    assert headers["access-control-allow-credentials"] == "true"
    assert "POST" in headers["access-control-allow-methods"]
    assert request(server, "OPTIONS", BASE, **preflight | {"Origin": "https://b.example"})[0] == 403
