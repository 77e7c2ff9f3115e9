"""The chat's events through Flask-SocketIO's test client."""

from __future__ import annotations

import logging

import pytest

from chatapp import create_app
from chatapp.errors import TakenOver
from chatapp.web.namespace import ChatNamespace


@pytest.fixture
def connect(app):
    socketio = app.extensions["socketio"]
    return lambda: socketio.test_client(app)


def heard(client) -> list[tuple]:
    return [(event["name"], *event["args"]) for event in client.get_received()]


def test_contract_of_the_oldest_client(connect):
    ann, bo = connect(), connect()
    ann.emit("setUsername", "Ann")
    assert heard(ann) == [("userSet", "Ann")]
    bo.emit("setUsername", "ANN")
    assert ("userExists", "ANN username is taken! Try some other username.") in heard(bo)
    ann.emit("msg", {"message": "hi", "user": "somebody else"})
    for client in (ann, bo):
        assert heard(client)[-1][:2] == ("newmsg", {"user": "Ann", "message": "hi"})
    ann.disconnect()
    bo.emit("setUsername", "Ann")
    assert heard(bo)[-1] == ("userSet", "Ann")


def test_acknowledgement_follows_delivery(connect):
    ann = connect()
    ann.emit("setUsername", "Ann")
    heard(ann)
    answer = ann.emit("msg", {"message": "hi"}, callback=True)
    assert heard(ann) == [("newmsg", {"user": "Ann", "message": "hi"}, number(answer))]


def number(answer: dict) -> dict:
    return {name: answer[name] for name in ("room", "id", "at")}


def test_refused_follows_user_exists_with_the_same_sentence(connect):
    ann = connect()
    answer = ann.emit("setUsername", "", callback=True)
    assert answer == {"ok": False, "code": "name_invalid", "message": "The name is empty."}
    assert heard(ann) == [
        ("userExists", "The name is empty."),
        ("refused", {"event": "setUsername", "code": "name_invalid", "message": answer["message"]}),
    ]


@pytest.mark.parametrize(
    ("event", "argument"), [("setUsername", "Ann"), ("msg", {"message": "hi"}), ("typing", {})]
)
def test_method_of_a_subclass_handles_its_event(app, event, argument):
    """ChatNamespace has such methods for `setUsername` and `msg` only."""
    received = []

    class Recording(ChatNamespace):
        pass

    def record(self, client, request):
        received.append(request)
        return self.chat.handle(client, request)

    setattr(Recording, f"on_{event}", record)
    socketio = app.extensions["socketio"]
    socketio.on_namespace(Recording("/", app.extensions["chat"]))
    ann = socketio.test_client(app)
    ann.emit("setUsername", "Ann")
    received.clear()
    assert ann.emit(event, argument, callback=True)["ok"]
    assert [request.event for request in received] == [event]


@pytest.mark.parametrize("event", ["connect", "disconnect", "connect_error", "disconnecting"])
def test_reserved_event_names_are_refused(connect, event):
    ann, bo = connect(), connect()
    ann.emit("setUsername", "Ann")
    heard(bo)
    assert ann.emit(event, "x", callback=True)["code"] == "unknown_event"
    assert heard(bo) == []
    assert ann.emit("msg", {"message": "still here"}, callback=True)["ok"]


@pytest.mark.parametrize("event", ["say", "message", "on_msg", "", "*"])
def test_unknown_events_are_refused(connect, event):
    assert connect().emit(event, callback=True)["code"] == "unknown_event"


def test_unexpected_error_is_answered_and_logged_once(connect, app, caplog, monkeypatch):
    ann, bo = connect(), connect()
    ann.emit("setUsername", "Ann")
    namespace = app.extensions["socketio"].server.namespace_handlers["/"]

    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(namespace.chat, "handle", broken)
    with caplog.at_level(logging.ERROR):
        answer = ann.emit("msg", {"message": "hi"}, callback=True)
    assert answer["code"] == "internal"
    assert "a bug" not in answer["message"]
    assert caplog.text.count("Traceback") == 1
    monkeypatch.undo()
    heard(bo)
    assert ann.emit("msg", {"message": "hi"}, callback=True)["ok"]
    assert [event[0] for event in heard(bo)] == ["newmsg"]


def test_type_error_in_a_handler_is_answered_as_internal(connect, app, caplog, monkeypatch):
    ann = connect()
    namespace = app.extensions["socketio"].server.namespace_handlers["/"]
    monkeypatch.setattr(namespace.chat, "handle", lambda: None)
    with caplog.at_level(logging.ERROR):
        assert ann.emit("setUsername", "Ann", callback=True)["code"] == "internal"
    assert caplog.text.count("Traceback") == 1


def test_rate_limit_states_when_to_retry():
    app = create_app({"TESTING": True, "MESSAGE_LIMIT": "1/100"})
    ann = app.extensions["socketio"].test_client(app)
    ann.emit("setUsername", "Ann")
    ann.emit("msg", {"message": "one"})
    heard(ann)
    answer = ann.emit("msg", {"message": "two"}, callback=True)
    assert answer["code"] == "rate_limited"
    assert 99_000 < answer["retryAfter"] <= 100_000
    event, refused = heard(ann)[0]
    assert (event, refused) == (
        "refused",
        {"event": "msg"} | {k: answer[k] for k in refused if k != "event"},
    )


def test_log_lines_escape_text_of_clients(connect, caplog):
    with caplog.at_level(logging.DEBUG):
        connect().emit("evil\nevent", "evil\narg")
    assert "evil\n" not in "".join(
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    )


class Connection:
    """A connection that records whether it was closed."""

    closed = False

    def close(self, **_) -> None:
        self.closed = True


def test_kicking_a_disconnected_client_affects_no_other(app, connect):
    """python-engineio closes all sessions if the id is None, as for a disconnected client."""
    connect()
    server = app.extensions["socketio"].server
    audience = app.extensions["chat"].audience
    other = server.eio.sockets["other"] = Connection()
    audience.kick("gone", "setUsername", TakenOver("Ann"))
    audience.close("gone")
    server.eio.disconnect(None)
    assert not other.closed
    server.eio.disconnect()
    assert other.closed
