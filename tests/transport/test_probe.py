"""An upgrade in the making: one at a time, and in time (Engine.IO protocol 4, "Upgrade")."""

from __future__ import annotations

import threading

import pytest

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Session
from chatapp.transport.eio.upgrade import Probe


class WebSocketTransport:
    """A WebSocket that a probe comes over, watched."""

    def __init__(self) -> None:
        self.receiver = None
        self.closed = threading.Event()

    def write(self, data: bytes) -> None: ...

    def close(self, code: int = 1000) -> None:
        self.closed.set()


@pytest.fixture
def session():
    server = EngineServer(request_timeout=0.1)
    session = Session(server.runtime, server, "sid", "127.0.0.1")
    yield session
    session.close()


def probed(session: Session) -> tuple[Probe, WebSocketTransport]:
    websocket = WebSocketTransport()
    probe = websocket.receiver = Probe(session, websocket)
    probe.begin()
    return probe, websocket


@pytest.mark.parametrize("messages", [[], ["2probe"]])
def test_a_probe_has_its_time(session, messages):
    """docs/wire.md, Bounds."""
    probe, websocket = probed(session)
    for message in messages:
        probe.received(message)
    assert websocket.closed.wait(5)
    assert (session.upgrade, session.closed, session.upgrading) == (None, False, False)


def test_one_that_has_become_the_channel_has_no_end(session):
    probe, websocket = probed(session)
    probe.received("2probe")
    probe.received("5")
    assert session.websocket is websocket
    assert websocket.receiver is session
    assert not websocket.closed.wait(0.3)


def test_what_comes_after_a_bad_probe_is_not_heard(session):
    probe, websocket = probed(session)
    for message in ("x", "2probe", "5"):
        probe.received(message)
    assert websocket.closed.is_set()
    assert session.websocket is None


def test_one_that_has_ended_does_not_speak_for_the_next(session):
    earlier, _ = probed(session)
    earlier.ended()
    _, websocket = probed(session)
    earlier.ended()
    earlier.give_up()
    session.upgrade.received("2probe")
    assert session.upgrading
    assert not websocket.closed.is_set()


def test_a_session_that_has_ended_takes_no_channel(session):
    probe, websocket = probed(session)
    probe.received("2probe")
    session.close()
    assert websocket.closed.is_set()
    probe.received("5")
    assert session.websocket is None


def test_session_has_one_probe_at_a_time_and_closes_others_at_once(session):
    """Reference: Server.onWebSocket."""
    first, websocket = probed(session)
    other, unwanted = probed(session)
    assert unwanted.closed.is_set()
    other.received("2probe")
    first.received("2probe")
    first.received("5")
    assert session.websocket is websocket
    _, unwanted = probed(session)
    assert unwanted.closed.is_set()
    session.close()
    _, unwanted = probed(session)
    assert unwanted.closed.is_set()


def test_unwanted_probe_has_no_timer(session):
    probed(session)
    for _ in range(3):
        probed(session)
    runtime = session.runtime
    assert len(runtime.clock._timers[runtime.limits.request_timeout]) == 1
