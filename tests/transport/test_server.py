"""Sessions that enter and leave, and a server that stops, seen from within."""

from __future__ import annotations

import engineio
import pytest
from flask import Flask
from flask_socketio import Namespace
from support.clock import FakeTime

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Connection
from chatapp.transport.sio.server import SocketIO


class Visit:
    """A session of a server that gives it 10 s in no namespace, in a time of its own."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.ended: list[float] = []
        socketio = SocketIO(Flask(__name__), ping_interval=1000)
        socketio.on_namespace(Namespace("/"))
        eio = socketio.server.eio
        eio.clock = self.time.clock
        eio.spawn = lambda call, *arguments: call(*arguments)
        eio.forget = lambda *_, **how: self.ended.append(self.time.now)
        self.session = eio.sockets["sid"] = Connection(eio, "sid", "127.0.0.1")
        socketio.server._handle_eio_connect("sid", {})

    def says(self, at: float, packet: str) -> None:
        self.time.clock.call_later(at, lambda: self.session.received(packet))

    def ends(self) -> float:
        self.time.run()
        return self.ended[0]


@pytest.mark.parametrize(
    ("packets", "end"),
    [
        ({}, 10),
        ({9: "40/unknown,"}, 10),
        ({1: "40", 50: "41"}, 60),
        ({1: "40", 5: "41"}, 15),
        ({1: "40", 5: "41", 8: "40", 9: "41"}, 19),
        ({1: "40", 5: "41", 8: "40", 30: "4x"}, 30),
    ],
)
def test_a_session_in_no_namespace_has_10_seconds(packets, end):
    """docs/wire.md, Bounds: a handshake without CONNECT after 10 s."""
    visit = Visit()
    for at, packet in packets.items():
        visit.says(at, packet)
    assert visit.ends() == pytest.approx(end)


@pytest.mark.parametrize(
    ("packets", "count"),
    [
        ({}, 1),
        ({at: "41" if at % 2 == 0 else "40" for at in range(1, 9)}, 1),
        ({1: "40"}, 0),
        ({1: "40/unknown,", 2: "1"}, 0),
        ({1: "40", 2: "41", 3: "1"}, 0),
    ],
)
def test_a_session_has_one_timer_for_that_while_it_needs_it(packets, count):
    """Else those of thousands who have gone all become due, each with work of its own."""
    visit = Visit()
    for at, packet in packets.items():
        visit.says(at, packet)
    timers: list = []
    visit.time.clock.call_later(
        8.5, lambda: timers.extend(t for t in visit.time.clock._timers.get(10.0, []) if t.call)
    )
    visit.time.run()
    assert len(timers) == count


def test_one_that_stops_takes_no_more_sessions():
    """So that who is closed doesn't come back to it."""
    server = EngineServer()
    client = Flask(__name__)
    client.wsgi_app = engineio.WSGIApp(server)
    web = client.test_client()
    path = "/engine.io/?EIO=4&transport=polling"
    assert web.get(path).status_code == 200
    server.stop()
    answer = web.get(path)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert server.sockets == {}
