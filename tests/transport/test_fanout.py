"""Who is in which room, and who hears what: as with python-socketio's own manager."""

from __future__ import annotations

import pytest
from socketio.manager import Manager

from chatapp.transport.sio.manager import Fanout
from chatapp.transport.sio.server import SocketIOServer


@pytest.fixture(params=[Manager, Fanout], ids=["the library's", "ours"])
def manager(request):
    """Both, so that ours is shown to do what is expected of the library's."""
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


def test_coming_and_going(manager):
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


def test_rooms(manager):
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
def test_who_hears(manager, to, skip, heard_by):
    enters(manager, "1", "tea", "chess")
    enters(manager, "2", "tea")
    enters(manager, "3")
    manager.emit("event", ("a", {"b": 1}), "/", to=to, skip_sid=skip)
    sent = manager.server.sent
    assert sorted(eio_sid for eio_sid, _ in sent) == heard_by
    assert all(data in ('2["event","a",{"b":1}]',) for _, data in sent)


def test_one_alone_and_all_but_one(manager):
    ann, bo = enters(manager, "1", "tea"), enters(manager, "2", "tea")
    manager.emit("event", None, "/", to=bo)
    manager.emit("event", "x", "/", room="tea", skip_sid=ann)
    manager.emit("event", "x", "/", room="tea", skip_sid=[ann, bo])
    assert manager.server.sent == [("2", '2["event"]'), ("2", '2["event","x"]')]
