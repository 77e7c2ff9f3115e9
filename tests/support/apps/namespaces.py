"""The chat with two more namespaces, /custom and /greeting.

Use /custom to test refusals, echoes, binary events and acknowledgements. Use /greeting to test
events that a connect handler emits.
"""

from __future__ import annotations

from collections import defaultdict
from threading import Event
from typing import Any

import flask_socketio
from flask import request
from socketio import exceptions

from chatapp import create_app


class Custom(flask_socketio.Namespace):
    """A namespace that echoes, broadcasts, and asks its clients for acknowledgements.

    It refuses a client whose auth has `refuse`, and sends that value as data unless it is empty.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.auth: dict[str, dict[str, str] | None] = {}

    def on_connect(self, auth: dict[str, str] | None = None) -> None:
        if auth and auth.get("refuse"):
            raise exceptions.ConnectionRefusedError("refused", {"why": auth["refuse"]})
        if auth and "refuse" in auth:
            raise exceptions.ConnectionRefusedError("refused")
        self.auth[request.sid] = auth

    def on_identity(self) -> dict[str, Any]:
        return {"id": request.sid, "auth": self.auth[request.sid]}

    def on_echo(self, *arguments: Any) -> tuple[Any, ...]:
        return arguments

    def on_tell(self, *arguments: Any) -> None:
        """Broadcast the arguments in the event `told`."""
        self.emit("told", arguments)

    def on_ask(self) -> None:
        """Ask the client for an acknowledgement, and broadcast it in `answered`."""
        flask_socketio.emit("asked", callback=lambda *answer: self.emit("answered", answer))

    def on_go(self) -> None:
        flask_socketio.disconnect()


class Greeting(flask_socketio.Namespace):
    """A namespace whose connect handler emits to the client and to rooms that it enters.

    After that, the client's auth decides:

    - `wait`: the handler waits until another client sends `release` with the same word;
    - `fail`: the handler raises an error;
    - `refuse`: the handler refuses the client.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.waiting: defaultdict[str, Event] = defaultdict(Event)
        self.released: defaultdict[str, Event] = defaultdict(Event)

    def on_connect(self, auth: dict[str, Any] | None = None) -> bool:
        auth = auth or {}
        self.greet()
        if word := auth.get("wait"):
            self.waiting[word].set()
            self.released[word].wait(10)
        if "fail" in auth:
            raise ZeroDivisionError
        return "refuse" not in auth

    def greet(self) -> None:
        flask_socketio.emit("own", 1)
        flask_socketio.emit("own", 2, callback=lambda *answer: self.emit("answered", answer))
        flask_socketio.join_room("here")
        flask_socketio.join_room("left")
        flask_socketio.leave_room("left")
        for name in ("here", "left"):
            flask_socketio.emit("room", name, to=name)
        flask_socketio.emit("rooms", b"\0\1", to=["here", "left"])
        flask_socketio.emit("all", broadcast=True)
        flask_socketio.emit("others", to="here", include_self=False)

    def on_release(self, word: str) -> None:
        """Broadcast to all clients while a client waits, then release that client."""
        self.waiting[word].wait(10)
        self.emit("late", 1)
        self.emit("late", 2, room="here")
        self.released[word].set()


app = create_app()
app.extensions["socketio"].on_namespace(Custom("/custom"))
app.extensions["socketio"].on_namespace(Greeting("/greeting"))
