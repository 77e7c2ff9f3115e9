"""When a session ends whose client says nothing, or doesn't poll, to the tenth of a second."""

from __future__ import annotations

import engineio
import pytest
from flask import Flask
from support.clock import FakeTime

from chatapp.transport.eio.http_errors import UNKNOWN_SID
from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Connection

INTERVAL, TIMEOUT = 20, 10


class Client:
    """Someone who polls, or over a WebSocket reads, at a moment, and answers a ping at another."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.ended: list[float] = []
        server = EngineServer(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        server.clock = self.time.clock
        server.spawn = lambda call, *arguments: call(*arguments)
        server.on("disconnect", lambda sid, reason: self.ended.append(self.time.now))
        self.session = Connection(server, "sid", "127.0.0.1")

    def polls(self, at: float) -> None:
        self.time.clock.call_later(at, self._poll)

    def _poll(self) -> None:
        self.session.take()
        self.session.last_poll = self.time.now

    def pongs(self, at: float) -> None:
        self.time.clock.call_later(at, lambda: self.session.received("3"))

    def ends(self) -> float:
        self.time.run()
        (end,) = self.ended
        return end


@pytest.fixture
def client():
    return Client()


def test_one_that_never_polls_but_sends_pongs(client):
    """docs/wire.md, Bounds: it hasn't polled for the ping interval and timeout together."""
    for at in range(200):
        client.pongs(at + 0.5)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.1)


def test_one_that_answers_late_and_polls_no_more(client):
    client.polls(20.5)
    client.pongs(29.5)
    assert client.ends() == pytest.approx(20.5 + INTERVAL + TIMEOUT, abs=0.11)


def test_one_that_polls_but_answers_nothing(client):
    """Heartbeat: no pong within pingTimeout."""
    for at in range(1, 200):
        client.polls(at)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT)


def test_one_that_does_both_lives(client):
    for at in range(1, 120):
        client.polls(at)
        client.pongs(at + 0.5)
    assert client.ends() > 120


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("late", "status"), [(0.0, 400), (-0.01, 200)])
def test_session_is_unknown_when_its_time_is_up_even_before_its_timer_is_due(method, late, status):
    """docs/wire.md, Bounds; reference: the official suites poll at that very moment."""
    time, told = FakeTime(), []
    server = EngineServer(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
    server.clock = time.clock
    server.on("disconnect", lambda sid, reason: told.append(reason))
    client = Flask(__name__)
    client.wsgi_app = engineio.WSGIApp(server)
    path = "/engine.io/?EIO=4&transport=polling"
    web = client.test_client()
    web.get(path)
    (sid,) = server.sockets
    server.send(sid, "hello")
    time.now = INTERVAL + TIMEOUT + late
    answer = web.open(f"{path}&sid={sid}", method=method, data="3" if method == "POST" else None)
    assert answer.status_code == status
    if status == 400:
        assert answer.json["message"] == UNKNOWN_SID[1]
        assert (server.sockets, told) == ({}, [server.reason.PING_TIMEOUT])
