"""When the session of a silent client ends, to the tenth of a second."""

from __future__ import annotations

import engineio
import pytest
from flask import Flask
from support.clock import FakeTime

from chatapp.transport.eio.http_errors import UNKNOWN_SID
from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Session

INTERVAL, TIMEOUT = 20, 10


class Client:
    """A client over polling with a schedule of polls and pongs."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.ended: list[float] = []
        runtime = self.time.runtime(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        self.session = Session(runtime, self, "sid", "127.0.0.1")

    def on_closed(self, session: Session, keep_for_final_poll: bool) -> None:
        self.ended.append(self.time.now)

    def polls(self, at: float) -> None:
        self.time.clock.call_later(at, self._poll)

    def _poll(self) -> None:
        self.session.take()
        self.session.polls.last_poll = self.time.now

    def pongs(self, at: float) -> None:
        self.time.clock.call_later(at, lambda: self.session.received("3"))

    def ends(self) -> float:
        self.time.run()
        (end,) = self.ended
        return end


@pytest.fixture
def client():
    return Client()


def test_client_that_sends_pongs_but_never_polls_times_out(client):
    """docs/wire.md, Bounds: a client must poll within the interval and timeout together."""
    for at in range(200):
        client.pongs(at + 0.5)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.1)


def test_client_that_answers_late_and_stops_polling_times_out(client):
    client.polls(20.5)
    client.pongs(29.5)
    assert client.ends() == pytest.approx(20.5 + INTERVAL + TIMEOUT, abs=0.11)


def test_client_that_polls_but_sends_no_pong_times_out(client):
    """Heartbeat: no pong within pingTimeout."""
    for at in range(1, 200):
        client.polls(at)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT)


def test_client_that_polls_and_sends_pongs_stays(client):
    for at in range(1, 120):
        client.polls(at)
        client.pongs(at + 0.5)
    assert client.ends() > 120


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("late", "status"), [(0.0, 400), (-0.01, 200)])
def test_overdue_session_is_unknown_before_its_timer_is_due(method, late, status):
    """docs/wire.md, Bounds; the official suites poll at exactly that time."""
    time, told = FakeTime(), []
    server = EngineServer(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
    server.runtime.clock = time.clock
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
