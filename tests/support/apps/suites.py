"""The application that socket.io's protocol test suites expect, with their timeouts.

An Engine.IO echo server is at /engine.io/, a Socket.IO server at /socket.io/. Both take clients of
Engine.IO 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import flask_socketio
from flask import Flask

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.sio.server import SocketIO

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PING_INTERVAL, PING_TIMEOUT = 0.3, 0.6  # seconds; together less than CONNECT_TIMEOUT
MAX_PAYLOAD = 1_000_000
OPTIONS = {
    "ping_interval": PING_INTERVAL,
    "ping_timeout": PING_TIMEOUT,
    "max_http_buffer_size": MAX_PAYLOAD,
}
CONNECT_TIMEOUT = 1.0

app = Flask(__name__)
socketio = SocketIO(app, connect_timeout=CONNECT_TIMEOUT, allow_eio3=True, **OPTIONS)
engine = EngineServer(allow_eio3=True, **OPTIONS)


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@socketio.on("connect")
@socketio.on("connect", namespace="/custom")
def connect(auth: dict[str, Any] | None = None) -> None:
    flask_socketio.emit("auth", auth or {})


@socketio.on("message")
def echo_event(*arguments: Any) -> None:
    flask_socketio.emit("message-back", arguments)


@socketio.on("message-with-ack")
def acknowledge(*arguments: Any) -> tuple[Any, ...]:
    return arguments


@engine.on("message")
def echo(sid: str, message: Any) -> None:
    engine.send(sid, message)


with_socketio = app.wsgi_app


def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"].startswith("/engine.io/"):
        return engine.handle_request(environ, start_response)
    return with_socketio(environ, start_response)


app.wsgi_app = serve
