"""What socket.io's own suites for Engine.IO and Socket.IO expect of the server that they test.

Engine.IO alone is at /engine.io/, in versions 3 and 4: it echoes each message. Socket.IO is at
/socket.io/.
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

PING_INTERVAL, PING_TIMEOUT = 0.3, 0.2  # seconds
MAX_PAYLOAD = 1_000_000
OPTIONS = {
    "ping_interval": PING_INTERVAL,
    "ping_timeout": PING_TIMEOUT,
    "max_http_buffer_size": MAX_PAYLOAD,
}
CONNECT_TIMEOUT = 1.0

app = Flask(__name__)
socketio = SocketIO(app, connect_timeout=CONNECT_TIMEOUT, **OPTIONS)
engine = EngineServer(allow_eio3=True, **OPTIONS)


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@socketio.on("connect")
@socketio.on("connect", namespace="/custom")
def connect(auth: dict[str, Any] | None = None) -> None:
    flask_socketio.emit("auth", auth or {})


@socketio.on("message")
def say_back(*arguments: Any) -> None:
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
