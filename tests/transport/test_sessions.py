"""Sessions in no namespace, and a server that stops."""

from __future__ import annotations

import engineio
import pytest
from flask import Flask
from flask_socketio import Namespace
from support.clock import FakeTime

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Session
from chatapp.transport.sio.server import SocketIO


class Visit:
    """A session with a schedule, at a server that gives it 10 s in no namespace."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.ended: list[float] = []
        socketio = SocketIO(Flask(__name__), ping_interval=1000)
        socketio.on_namespace(Namespace("/"))
        eio = socketio.server.eio
        eio.runtime.clock = self.time.clock
        eio.runtime.spawn = lambda call, *arguments: call(*arguments)
        eio.on_closed = lambda *_: self.ended.append(self.time.now)
        self.session = eio.sockets["sid"] = Session(eio.runtime, eio, "sid", "127.0.0.1")
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
def test_session_in_no_namespace_ends_after_10_seconds(packets, end):
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
def test_session_has_that_timer_only_while_in_no_namespace(packets, count):
    """Otherwise the timers of thousands of ended sessions all become due."""
    visit = Visit()
    for at, packet in packets.items():
        visit.says(at, packet)
    timers: list = []
    visit.time.clock.call_later(
        8.5, lambda: timers.extend(t for t in visit.time.clock._timers.get(10.0, []) if t.call)
    )
    visit.time.run()
    assert len(timers) == count


@pytest.mark.parametrize("packet", ['4{"a":1}', '4["3"]', "4true"])
def test_message_of_json_ends_session_without_traceback(packet, caplog):
    """python-engineio decodes such messages; none is a packet of Socket.IO."""
    visit = Visit()
    visit.says(1, packet)
    assert visit.ends() == 1
    assert "Traceback" not in caplog.text


def test_stopping_server_takes_no_sessions():
    """So that its clients reconnect to another server."""
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
