"""Each refusal of docs/wire.md, through python-socketio clients of a gunicorn server."""

from __future__ import annotations

import pytest
from support.clients import SocketIOClient
from support.raw import eventually
from support.servers import UNLIMITED

NESTED: list = []
for _ in range(50):
    NESTED = [NESTED, {"a": NESTED}][:1]

REFUSALS = [
    # (event, arguments, code, a part of the sentence)
    ("setUsername", (), "bad_request", "one or two arguments"),
    ("setUsername", ("a", {}, 1), "bad_request", "one or two arguments"),
    ("setUsername", (7,), "bad_request", "name of setUsername"),
    ("setUsername", (None,), "bad_request", "name of setUsername"),
    ("setUsername", (["Ann"],), "bad_request", "name of setUsername"),
    ("setUsername", ({"name": "Ann"},), "bad_request", "name of setUsername"),
    ("setUsername", (NESTED,), "bad_request", "name of setUsername"),
    ("setUsername", (b"Ann",), "bad_request", "binary"),
    ("setUsername", ("\ud83d",), "bad_request", "surrogate"),
    ("setUsername", ("Ann", "token"), "bad_request", "second argument"),
    ("setUsername", ("",), "name_invalid", "empty"),
    ("setUsername", ("   ",), "name_invalid", "empty"),
    ("setUsername", ("\u200b",), "name_invalid", "U+200B"),
    ("setUsername", ("a\u202eb",), "name_invalid", "U+202E"),
    ("setUsername", ("\u2800",), "name_invalid", "seen"),
    ("setUsername", ("x" * 33,), "name_invalid", "too long"),
    ("setUsername", ("x" * 5000,), "name_invalid", "too long"),
    ("setUsername", ("bystander",), "name_taken", "bystander username is taken!"),
    ("msg", (), "bad_request", "one argument"),
    ("msg", ({"message": "a"}, {}), "bad_request", "one argument"),
    ("msg", ("a",), "bad_request", "should be an object"),
    ("msg", (3.5,), "bad_request", "should be an object"),
    ("msg", (None,), "bad_request", "should be an object"),
    ("msg", (["a"],), "bad_request", "should be an object"),
    ("msg", ({},), "bad_request", "message of msg"),
    ("msg", ({"message": 5},), "bad_request", "message of msg"),
    ("msg", ({"message": NESTED},), "bad_request", "message of msg"),
    ("msg", ({"message": b"a"},), "bad_request", "binary"),
    ("msg", ({"message": "a", "user": b"a"},), "bad_request", "binary"),
    ("msg", ({"message": "\udc00"},), "bad_request", "surrogate"),
    ("join", ({"since": "\ud800"},), "bad_request", "surrogate"),
    ("msg", ({"message": "a", "key": "no"},), "bad_request", "key of msg"),
    ("msg", ({"message": "a", "room": 1},), "bad_request", "room of msg"),
    ("msg", ({"message": "a", "room": "no room"},), "room_invalid", "room's name"),
    ("msg", ({"message": "a", "room": "tea"},), "not_in_room", "tea"),
    ("msg", ({"message": ""},), "message_empty", "nothing in it"),
    ("msg", ({"message": " \n\u200b"},), "message_empty", "nothing in it"),
    ("msg", ({"message": "x" * 4001},), "message_too_long", "4001"),
    ("join", ("lobby",), "bad_request", "should be an object"),
    ("join", ({"limit": 0},), "bad_request", "limit of join"),
    ("join", ({"limit": 201},), "bad_request", "limit of join"),
    ("join", ({"limit": "10"},), "bad_request", "limit of join"),
    ("join", ({"room": "no room"},), "room_invalid", "room's name"),
    ("join", ({"room": "x" * 65},), "room_invalid", "room's name"),
    ("join", ({"since": -1},), "bad_request", "since of join"),
    ("join", ({"since": 2**53},), "bad_request", "since of join"),
    ("leave", (), "room_invalid", "lobby can't be left"),
    ("leave", ({"room": "tea"},), "not_in_room", "tea"),
    ("leave", ({"room": "é"},), "room_invalid", "room's name"),
    ("history", ({"room": "tea"},), "not_in_room", "tea"),
    ("history", ({"since": 1, "before": 2},), "bad_request", "before of history"),
    ("history", ({"before": 1.5},), "bad_request", "before of history"),
    ("history", ({"since": True},), "bad_request", "since of history"),
    ("history", ({"limit": 1000},), "bad_request", "limit of history"),
    ("typing", ({"room": "tea"},), "not_in_room", "tea"),
    ("typing", ({"room": ""},), "room_invalid", "room's name"),
    ("setUsername", ("Ann", {"hold": "yes"}), "bad_request", "hold of setUsername"),
    ("setUsername", ("Ann", {"token": 1}), "bad_request", "token of setUsername"),
    ("setUsername", ("Bystander", {"token": "x" * 22}), "name_taken", "taken!"),
    ("nonsense", (1, 2, 3), "unknown_event", "no such event"),
]


@pytest.fixture(scope="module")
def clients(serve):
    server = serve("gunicorn", **UNLIMITED)
    clients = [SocketIOClient(server.url, "websocket") for _ in range(2)]
    clients[0].set_name("Sender")
    clients[1].set_name("Bystander")
    clients[0].wait_for("userJoined")
    yield clients
    for client in clients:
        client.disconnect()


@pytest.mark.parametrize(
    ("event", "arguments", "code", "sentence"),
    REFUSALS,
    ids=lambda value: str(value)[:24] if isinstance(value, str | tuple) else "",
)
def test_invalid_event_is_refused_and_changes_nothing(clients, event, arguments, code, sentence):
    sender, bystander = clients
    sender.clear_received()
    bystander.clear_received()
    answer = sender.call(event, *arguments)
    assert (answer["ok"], answer["code"]) == (False, code)
    assert sentence in answer["message"]
    refused = {"event": event, "code": code, "message": answer["message"]}
    assert sender.wait_for("refused") == [(refused,)]
    names = [event[0] for event in sender.received]
    assert names == (["userExists"] if event == "setUsername" else []) + ["refused"]
    if event == "setUsername":
        assert sender.wait_for("userExists") == [(answer["message"],)]
    # No state has changed for any client, and the connection stays open.
    count = sender.call("join", {})["count"]
    assert count == 2
    assert sender.call("msg", {"message": "still here"})["ok"]
    assert bystander.wait_for("newmsg")[0][0] == {"user": "Sender", "message": "still here"}
    assert [event[0] for event in bystander.received] == ["newmsg"]


def test_refusal_is_emitted_without_an_acknowledgement(clients):
    sender, _ = clients
    sender.clear_received()
    sender.emit("msg", {"message": ""})
    assert sender.wait_for("refused")[0][0]["code"] == "message_empty"


@pytest.mark.parametrize("arguments", [("msg", {"message": "a"}), ("join", {"room": "tea"})])
def test_event_without_a_name_is_refused(clients, serve, arguments):
    nameless = SocketIOClient(serve("gunicorn", **UNLIMITED).url, "websocket")
    assert nameless.call(*arguments)["code"] == "name_required"
    assert nameless.call("join")["ok"]
    nameless.disconnect()


@pytest.mark.parametrize("event", ["connect", "disconnect", "connect_error", "newListener"])
def test_reserved_event_names_are_refused(clients, event):
    sender, bystander = clients
    bystander.clear_received()
    sender.clear_received()
    # python-socketio sends these events like any other.
    assert sender.call(event, "x")["code"] == "unknown_event"
    assert sender.call("msg", {"message": "still here"})["ok"]
    bystander.wait_for("newmsg")
    assert [event[0] for event in bystander.received] == ["newmsg"]


def test_messages_and_names_over_their_rate_are_refused(serve):
    server = serve("gunicorn", MESSAGE_LIMIT="2/60", NAME_LIMIT="2/60", EVENT_LIMIT="")
    hasty, calm = SocketIOClient(server.url, "websocket"), SocketIOClient(server.url, "websocket")
    assert hasty.set_name("Hasty")["ok"]
    assert hasty.set_name("Hasty2")["ok"]
    answer = hasty.set_name("Hasty3")
    assert (answer["code"], answer["retryAfter"] > 0) == ("rate_limited", True)
    assert hasty.wait_for("userExists") == [(answer["message"],)]
    assert [hasty.call("msg", {"message": "x"}).get("code") for _ in range(3)] == [
        None,
        None,
        "rate_limited",
    ]
    assert calm.set_name("Calm")["ok"]
    assert calm.call("msg", {"message": "x"})["ok"]
    hasty.disconnect()
    calm.disconnect()


def test_client_at_twice_the_event_rate_is_closed(serve):
    server = serve("gunicorn", EVENT_LIMIT="5/60")
    flooder, calm = SocketIOClient(server.url, "websocket"), SocketIOClient(server.url, "websocket")
    flooder.set_name("Flooder")
    calm.set_name("Calm")
    for _ in range(20):
        flooder.emit("nonsense")
    calm.wait_for("userLeft")
    eventually(lambda: flooder.client.eio.state != "connected")
    codes = [refused["code"] for (refused,) in flooder.wait_for("refused", count=9)]
    assert codes == ["unknown_event"] * 4 + ["rate_limited"] * 5
    assert calm.call("msg", {"message": "peace"})["ok"]
    calm.disconnect()
