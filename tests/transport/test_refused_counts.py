"""Refusals are counted by their reason."""

from __future__ import annotations

import io
from collections import Counter

import pytest

from chatapp.transport.eio.http_errors import EngineHTTPError
from chatapp.transport.eio.limiter import BESIDE_SESSIONS, ConnectionLimiter
from chatapp.transport.eio.server import EngineServer
from chatapp.transport.loop.meter import MeterRate


@pytest.fixture
def refused():
    return Counter()


def test_session_over_the_bound_is_counted(refused):
    limiter = ConnectionLimiter(1, 0, refused)
    limiter.enter("192.0.2.1")
    with pytest.raises(EngineHTTPError):
        limiter.enter("192.0.2.2")
    assert refused == {"sessions": 1}


def test_connection_over_its_addresss_bound_is_counted(refused):
    limiter = ConnectionLimiter(0, 1, refused)
    bound = 2 + BESIDE_SESSIONS
    assert [limiter.connect("192.0.2.1") for _ in range(bound + 1)] == [True] * bound + [False]
    assert limiter.connect("192.0.2.2")
    limiter.disconnect("192.0.2.1")
    assert limiter.connect("192.0.2.1")
    assert refused == {"connections": 1}


def respond(server: EngineServer, method: str, query: str, body: bytes = b"") -> str:
    """Read an answer to its end, and return its status."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/socket.io/",
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "REMOTE_ADDR": "192.0.2.1",
    }
    answer = server.handle_request(environ, lambda status, headers: statuses.append(status))
    list(answer)
    answer.close()
    return statuses[0].partition(" ")[0]


def open_session(server: EngineServer) -> str:
    assert respond(server, "GET", "EIO=4&transport=polling") == "200"
    (sid,) = server.sockets
    return f"EIO=4&transport=polling&sid={sid}"


def test_unread_body_is_counted():
    server = EngineServer()
    assert respond(server, "POST", "EIO=4&transport=polling", b"x") == "400"
    assert server.refused == {"unread_body": 1}


def test_body_over_the_bound_is_counted():
    server = EngineServer(max_http_buffer_size=1000)
    assert respond(server, "POST", open_session(server), b"3" * 1001) == "413"
    assert server.refused == {"large_body": 1, "unread_body": 1}


def test_session_over_its_packet_limit_is_counted():
    server = EngineServer(packet_limit=MeterRate(10, 3600))
    session = open_session(server)
    assert respond(server, "POST", session, b"\x1e".join([b"3"] * 11)) == "429"
    assert server.refused == {"packet_limit": 1}
    assert not server.sockets


@pytest.mark.parametrize(("units", "allowed"), [(10, True), (11, False)])
def test_meter_allows_all_its_units_at_once(units, allowed):
    rate = MeterRate(10, 5)
    assert rate.is_over(rate.spend(0.0, units, now=100.0), now=100.0) is not allowed


def test_meter_fills_again_with_time():
    rate = MeterRate(10, 5)
    full = rate.spend(0.0, 10, now=100.0)
    assert rate.is_over(rate.spend(full, 1, now=100.4), now=100.4)
    assert not rate.is_over(rate.spend(full, 1, now=100.5), now=100.5)
    assert not rate.is_over(rate.spend(full, 10, now=105.0), now=105.0)
