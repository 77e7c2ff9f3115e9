"""Rooms and recipients, the same with our manager as with python-socketio's."""

from __future__ import annotations

import sys
import threading

import pytest
from socketio.manager import Manager

from chatapp.transport.eio.session import Session
from chatapp.transport.sio.manager import RoomManager
from chatapp.transport.sio.server import SocketIOServer


@pytest.fixture(params=[Manager, RoomManager], ids=["python-socketio", "ours"])
def manager(request):
    """Each of the two managers, as both must pass the same tests."""
    server = SocketIOServer(client_manager=request.param())
    server.sent = []
    server._send_eio_packet = lambda eio_sid, packet: server.sent.append((eio_sid, packet.data))
    return server.manager


def enters(manager, eio_sid: str, *rooms: str) -> str:
    sid = manager.pre_connect(eio_sid, "/")
    manager.connect(sid, "/")
    for room in rooms:
        manager.enter_room(sid, "/", room)
    return sid


def test_connecting_and_disconnecting(manager):
    sid = manager.pre_connect("1", "/")
    assert manager.pre_connect("1", "/") is None
    assert (manager.is_pre_connected(sid, "/"), manager.is_connected(sid, "/")) == (True, False)
    assert manager.connect(sid, "/") == sid
    assert (manager.is_pre_connected(sid, "/"), manager.is_connected(sid, "/")) == (False, True)
    assert manager.sid_from_eio_sid("1", "/") == sid
    assert manager.eio_sid_from_sid(sid, "/") == "1"
    assert list(manager.get_namespaces()) == ["/"]
    manager.pre_disconnect(sid, "/")
    assert not manager.is_connected(sid, "/")
    assert manager.sid_from_eio_sid("1", "/") == sid
    manager.disconnect(sid, "/")
    assert manager.sid_from_eio_sid("1", "/") is None
    assert list(manager.get_namespaces()) == []
    manager.disconnect(sid, "/")


def test_entering_and_leaving_rooms(manager):
    ann, bo = enters(manager, "1", "tea", "chess"), enters(manager, "2", "tea")
    assert set(manager.get_rooms(ann, "/")) == {ann, "tea", "chess"}
    assert sorted(manager.get_participants("/", "tea")) == sorted([(ann, "1"), (bo, "2")])
    assert sorted(manager.get_participants("/", ["tea", "chess"])) == sorted(
        [(ann, "1"), (bo, "2")]
    )
    assert sorted(eio_sid for _, eio_sid in manager.get_participants("/", None)) == ["1", "2"]
    manager.leave_room(ann, "/", "chess")
    manager.leave_room(ann, "/", "chess")
    assert list(manager.get_participants("/", "chess")) == []
    manager.close_room("tea", "/")
    assert list(manager.get_participants("/", "tea")) == []
    assert list(manager.get_participants("/nowhere", "tea")) == []
    with pytest.raises(ValueError, match="sid room"):
        manager.enter_room(ann, "/", bo)
    with pytest.raises(ValueError, match="not connected"):
        manager.enter_room(ann, "/nowhere", "tea")


@pytest.mark.parametrize(
    ("to", "skip", "heard_by"),
    [
        ("tea", None, ["1", "2"]),
        (None, None, ["1", "2", "3"]),
        ("chess", None, ["1"]),
        (["tea", "chess"], None, ["1", "2"]),
        ("nowhere", None, []),
    ],
)
def test_recipients_of_an_event(manager, to, skip, heard_by):
    enters(manager, "1", "tea", "chess")
    enters(manager, "2", "tea")
    enters(manager, "3")
    manager.emit("event", ("a", {"b": 1}), "/", to=to, skip_sid=skip)
    sent = manager.server.sent
    assert sorted(eio_sid for eio_sid, _ in sent) == heard_by
    assert all(data in ('2["event","a",{"b":1}]',) for _, data in sent)


def test_event_for_one_client_and_for_all_but_one(manager):
    ann, bo = enters(manager, "1", "tea"), enters(manager, "2", "tea")
    manager.emit("event", None, "/", to=bo)
    manager.emit("event", "x", "/", room="tea", skip_sid=ann)
    manager.emit("event", "x", "/", room="tea", skip_sid=[ann, bo])
    assert manager.server.sent == [("2", '2["event"]'), ("2", '2["event","x"]')]


# While a connect handler runs


def recording_server(**options):
    """Return a server that records what is sent, to whom."""
    server = SocketIOServer(**options)
    server.sent = []
    server._send_packet = lambda eio_sid, packet: server.sent.append((eio_sid, packet.encode()))
    server._send_eio_packet = lambda eio_sid, packet: server.sent.append((eio_sid, packet.data))
    return server


@pytest.fixture
def server():
    return recording_server()


def connects(server, eio_sid: str, handler=None) -> None:
    """Take a CONNECT packet of a client whose `connect` handler calls `handler(sid)`."""
    server.on("connect", lambda sid, environ, auth: handler(sid) if handler else None)
    server._handle_eio_connect(eio_sid, {})
    server._handle_eio_message(eio_sid, "0")


def test_connecting_client_is_in_its_rooms(server):
    seen = []

    def handler(sid):
        server.enter_room(sid, "tea")
        for room in (None, "tea", sid):
            seen.extend(eio_sid for _, eio_sid in server.manager.get_participants("/", room))
        seen.append(server.manager.has_members("/", "tea"))
        server.close_room("tea")
        seen.append(server.manager.has_members("/", "tea"))

    connects(server, "1", handler)
    assert seen == ["1", "1", "1", True, False]
    assert not server.manager.has_members("/", "tea")


def test_connecting_client_is_cut_when_too_many_bytes_wait():
    server = recording_server(outbox_bytes=1000)
    server.eio.runtime.spawn = lambda call, *arguments: call(*arguments)
    session = server.eio.sockets["1"] = Session(server.eio.runtime, server.eio, "1", "127.0.0.1")
    server.eio.limiter.enter("127.0.0.1")
    closed = []

    def handler(sid):
        for _ in range(3):
            server.emit("event", "x" * 400, to=sid)
            closed.append(session.closed)

    connects(server, "1", handler)
    assert closed == [False, False, True]


def test_client_whose_session_ends_while_connecting_is_disconnected(server):
    server.eio.sockets["1"] = Session(server.eio.runtime, server.eio, "1", "127.0.0.1")
    server.eio.limiter.enter("127.0.0.1")
    told = []

    @server.on("disconnect")
    def disconnect(sid, reason):
        told.append((server.get_environ(sid), reason))

    connects(server, "1", lambda sid: server.eio.disconnect("1"))
    assert told == [({}, server.reason.SERVER_DISCONNECT)]
    assert list(server.manager.get_namespaces()) == []
    assert server.environ == {}


@pytest.fixture
def hectic():
    """Have threads switch as often as possible."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_events_of_another_thread_follow_connect_once_and_in_order(server, hectic):
    connects(server, "speaker", lambda sid: server.enter_room(sid, "tea"))
    for round_number in range(300):
        server.sent.clear()
        both = threading.Barrier(2)

        def speak(both=both):
            both.wait()
            for number in range(30):
                server.emit("event", number, to="tea")

        def enter(sid, both=both):
            both.wait()
            server.enter_room(sid, "tea")

        speaker = threading.Thread(target=speak)
        speaker.start()
        connects(server, f"{round_number}", enter)
        speaker.join()
        first, *events = [data for eio_sid, data in server.sent if eio_sid == f"{round_number}"]
        assert first.startswith('0{"sid"')
        assert events == [f'2["event",{n}]' for n in range(30 - len(events), 30)]
