"""Held names, rooms and the order of answers, under each kind of server (docs/wire.md).

Raw clients connect, disconnect in several ways and take their names back.
"""

from __future__ import annotations

import json
import struct
from signal import SIGKILL, SIGTERM

import pytest
from support.chaos.load import SETTINGS, Client
from support.raw import CLOSE, Polling, RawWebSocket, eventually, frame
from support.servers import KINDS, UNLIMITED, Server


def call(client: RawWebSocket, *event: object) -> dict:
    """Send an event and return its answer."""
    client.send("427" + json.dumps(event))
    return json.loads(client.receive_until("437")[-1][3:])[0]


@pytest.fixture(params=KINDS)
def server(request, serve) -> Server:
    """Each kind of server, with a hold that is longer than a test."""
    return serve(request.param, **UNLIMITED, NAME_HOLD="29")


@pytest.fixture
def watcher(server):
    watcher = RawWebSocket(server)
    yield watcher
    watcher.close()


def connect_with_name(server, name: str, **options) -> tuple[RawWebSocket, str]:
    """Connect and claim a name with a hold; return the client and its token."""
    client = RawWebSocket(server)
    answer = call(client, "setUsername", name, {"hold": True, **options})
    assert answer["ok"], answer
    return client, answer["token"]


ENDS = {
    "a dead network": lambda client: client.sock.shutdown(2),
    "a close frame": lambda client: client.send_raw(frame(struct.pack("!H", 1001), CLOSE)),
    "Engine.IO's close packet": lambda client: client.send("1"),
    "a broken frame": lambda client: client.send_raw(b"\xff\xff"),
    "a malformed packet": lambda client: client.send("4x"),
}


@pytest.mark.parametrize("end", ENDS)
def test_name_is_held_after_unclean_disconnect(server, watcher, end):
    name = f"Held by {len(end)}"
    client, token = connect_with_name(server, name)
    ENDS[end](client)
    client.receive_close_code()  # until the connection ends
    assert call(watcher, "setUsername", name)["code"] == "name_taken"
    again, same = connect_with_name(server, name, token=token)
    assert same == token
    again.send("41")
    again.close()


def test_clean_disconnect_frees_a_held_name_at_once(server, watcher):
    client, _ = connect_with_name(server, "Polite")
    client.send("41")
    eventually(lambda: call(watcher, "setUsername", "Polite")["ok"])
    client.close()


def test_taken_over_client_is_told_and_closed(server):
    first, token = connect_with_name(server, "Two Windows")
    second, _ = connect_with_name(server, "Two Windows", token=token)
    texts = first.receive_until("41")
    assert texts[-1] == "41"
    refused = json.loads(next(text for text in texts if text.startswith('42["refused"'))[2:])
    assert (refused[1]["event"], refused[1]["code"]) == ("setUsername", "taken_over")
    assert first.receive_close_code() == 1000
    assert call(second, "msg", {"message": "mine"})["ok"]
    second.close()


def test_taken_over_polling_client_is_told_and_closed(server):
    first = Polling(server)
    first.post('421["setUsername","Poller",{"hold":true}]')
    body = first.poll()[1]
    token = json.loads(body[body.index("431") + 3 :].partition("\x1e")[0])[0]["token"]
    second, _ = connect_with_name(server, "Poller", token=token)
    last = first.poll()[1].split("\x1e")
    assert any("taken_over" in packet for packet in last)
    assert "41" in last
    second.close()


def test_members_of_a_room_receive_its_events(server):
    ann, bo = RawWebSocket(server), RawWebSocket(server)
    call(ann, "setUsername", "Ann in a room")
    call(bo, "setUsername", "Bo in a room")
    assert call(ann, "join", {"room": "Quiet"})["users"] == ["Ann in a room"]
    joined = call(bo, "join", {"room": "quiet"})
    assert (joined["room"], joined["count"]) == ("quiet", 2)
    assert (
        'userJoined",{"room":"quiet","user":"Bo in a room"}'
        in ann.receive_until('42["userJoined"')[-1]
    )
    call(bo, "typing", {"room": "quiet"})
    assert ann.receive_until('42["userTyping"')[-1].endswith(
        '{"room":"quiet","user":"Bo in a room"}]'
    )
    answer = call(bo, "msg", {"message": "psst", "room": "QUIET"})
    assert (answer["room"], answer["id"]) == (
        "quiet",
        call(ann, "history", {"room": "quiet"})["messages"][-1][1]["id"],
    )
    assert call(bo, "leave", {"room": "quiet"}) == {"ok": True, "room": "quiet"}
    assert call(bo, "msg", {"message": "psst", "room": "quiet"})["code"] == "not_in_room"
    for client in (ann, bo):
        client.close()


def test_join_of_51st_room_is_refused(server):
    client = RawWebSocket(server)
    call(client, "setUsername", "Everywhere")
    for n in range(49):
        assert call(client, "join", {"room": f"room-{n}"})["ok"]
    assert call(client, "join", {"room": "room-49"})["code"] == "too_many_rooms"
    assert call(client, "join", {"room": "room-48"})["ok"]
    client.close()


def test_answers_follow_the_order_of_events(server):
    """Later events wait for the messages that are still being stored."""
    client = RawWebSocket(server)
    call(client, "setUsername", "In order")
    events = []
    for n in range(0, 60, 4):
        events += [
            f'42{100 + n}["msg",{{"message":"{n}"}}]',
            f'42{101 + n}["msg",{{"message":"{n + 1}"}}]',
            f'42{102 + n}["history",{{"limit":1}}]',
            f'42{103 + n}["setUsername","In order {n}"]',
        ]
    client.send_raw(b"".join(frame(event.encode()) for event in events))
    answers = [text for text in client.receive_until("43159") if text.startswith("43")]
    assert [text[2:5] for text in answers] == [str(n) for n in range(100, 160)]
    for n in range(0, 60, 4):
        newest = json.loads(answers[n + 2][5:])[0]["messages"][-1][0]
        assert newest["message"] == str(n + 1)
        assert newest["user"] == ("In order" if n == 0 else f"In order {n - 4}")
    client.close()


def test_repeated_key_of_pending_message_returns_its_answer(server):
    client = RawWebSocket(server)
    call(client, "setUsername", "Repeater")
    events = [
        f'42{100 + n}["msg",{{"message":"{text}","key":"key-00001"}}]'
        for n, text in enumerate(["hello", "", "other"])
    ]
    client.send_raw(b"".join(frame(event.encode()) for event in events))
    answers = [json.loads(client.receive_until(f"43{100 + n}")[-1][5:]) for n in range(3)]
    assert answers[0][0]["ok"]
    assert answers == answers[:1] * 3
    client.close()


@pytest.mark.parametrize("signal", [SIGKILL, SIGTERM])
def test_held_name_and_its_rooms_survive_restart(tmp_path, signal):
    server = Server("gunicorn", tmp_path, SETTINGS)
    ann, token = connect_with_name(server, "Ann")
    call(ann, "join", {"room": "tea"})
    server.process.send_signal(signal)
    server.process.wait(10)
    ann.close()
    server = Server("gunicorn", tmp_path, SETTINGS)
    try:
        bo = Client(server, "Bo")
        assert bo.call("join", {"room": "tea"})["users"] == ["Ann", "Bo"]
        assert bo.call("join")["users"] == ["Ann", "Bo"]
        back, _ = connect_with_name(server, "Ann", token=token)
        back.close()
    finally:
        server.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_takeover_of_disconnected_client_keeps_its_pending_message(kind, tmp_path):
    """A message of the disconnected client still waits for the disk."""
    server = Server(kind, tmp_path, UNLIMITED, module="support.apps.stalling")
    try:
        bystander = RawWebSocket(server)
        ann, token = connect_with_name(server, "Ann")
        (tmp_path / "stall").touch()
        ann.send('42["msg",{"message":"slow"}]')
        eventually((tmp_path / "stalled").exists)
        ann.sock.shutdown(2)
        back, _ = connect_with_name(server, "Ann", token=token)
        (tmp_path / "stall").unlink()
        for client in (bystander, back):
            assert "slow" in client.receive_until('42["newmsg"')[-1]
            client.close()
    finally:
        server.stop()
