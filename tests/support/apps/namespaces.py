"""The chat, and beside it namespaces: one says back what it hears, binary too, one greets."""

from __future__ import annotations

from collections import defaultdict
from threading import Event
from typing import Any

import flask_socketio
from flask import request
from socketio import exceptions

from chatapp import create_app


class Custom(flask_socketio.Namespace):
    """Whoever brings `refuse` is refused with it as the data, or without any where it's empty."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.brought: dict[str, dict[str, str] | None] = {}

    def on_connect(self, auth: dict[str, str] | None = None) -> None:
        if auth and auth.get("refuse"):
            raise exceptions.ConnectionRefusedError("refused", {"why": auth["refuse"]})
        if auth and "refuse" in auth:
            raise exceptions.ConnectionRefusedError("refused")
        self.brought[request.sid] = auth

    def on_who(self) -> dict[str, Any]:
        return {"id": request.sid, "auth": self.brought[request.sid]}

    def on_echo(self, *arguments: Any) -> tuple[Any, ...]:
        return arguments

    def on_tell(self, *arguments: Any) -> None:
        """Let all hear it."""
        self.emit("told", arguments)

    def on_ask(self) -> None:
        """Ask the client something; what it answers is told to all."""
        flask_socketio.emit("asked", callback=lambda *answer: self.emit("answered", answer))

    def on_go(self) -> None:
        flask_socketio.disconnect()


class Greeting(flask_socketio.Namespace):
    """Emits events from its connect handler, to the client itself and to rooms that it enters.

    After that, a client that brings `wait` waits for the event `release` of another client with the
    same word, one that brings `fail` makes the handler fail, and one that brings `refuse` is
    refused.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.waiting: defaultdict[str, Event] = defaultdict(Event)
        self.released: defaultdict[str, Event] = defaultdict(Event)

    def on_connect(self, auth: dict[str, Any] | None = None) -> bool:
        brought = auth or {}
        self.greet()
        if word := brought.get("wait"):
            self.waiting[word].set()
            self.released[word].wait(10)
        if "fail" in brought:
            raise ZeroDivisionError
        return "refuse" not in brought

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
        """Tell everybody something while that client waits, then have it go on."""
        self.waiting[word].wait(10)
        self.emit("late", 1)
        self.emit("late", 2, room="here")
        self.released[word].set()


app = create_app()
app.extensions["socketio"].on_namespace(Custom("/custom"))
app.extensions["socketio"].on_namespace(Greeting("/greeting"))
