"""The chat, and beside it a namespace that says back what it hears, binary too."""

from __future__ import annotations

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


app = create_app()
app.extensions["socketio"].on_namespace(Custom("/custom"))
