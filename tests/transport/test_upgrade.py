"""An upgrade: one at a time, and within its time (Engine.IO protocol 4, "Upgrade")."""

from __future__ import annotations

import threading

import pytest

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Session
from chatapp.transport.eio.upgrade import Probe


class WebSocketTransport:
    """The WebSocket of an upgrade, which records that it is closed."""

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
def test_upgrade_that_is_not_finished_in_time_is_given_up(session, messages):
    """docs/wire.md, Bounds."""
    probe, websocket = probed(session)
    for message in messages:
        probe.received(message)
    assert websocket.closed.wait(5)
    assert (session.upgrade, session.closed, session.upgrading) == (None, False, False)


def test_finished_upgrade_has_no_time_limit(session):
    probe, websocket = probed(session)
    probe.received("2probe")
    probe.received("5")
    assert session.websocket is websocket
    assert websocket.receiver is session
    assert not websocket.closed.wait(0.3)


def test_messages_after_a_bad_probe_are_ignored(session):
    probe, websocket = probed(session)
    for message in ("x", "2probe", "5"):
        probe.received(message)
    assert websocket.closed.is_set()
    assert session.websocket is None


def test_ended_upgrade_does_not_affect_the_next(session):
    earlier, _ = probed(session)
    earlier.ended()
    _, websocket = probed(session)
    earlier.ended()
    earlier.give_up()
    session.upgrade.received("2probe")
    assert session.upgrading
    assert not websocket.closed.is_set()


def test_ended_session_takes_no_websocket(session):
    probe, websocket = probed(session)
    probe.received("2probe")
    session.close()
    assert websocket.closed.is_set()
    probe.received("5")
    assert session.websocket is None


def test_session_has_one_upgrade_at_a_time_and_closes_others(session):
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


def test_refused_upgrade_has_no_timer(session):
    probed(session)
    for _ in range(3):
        probed(session)
    runtime = session.runtime
    assert len(runtime.clock._timers[runtime.limits.request_timeout]) == 1
