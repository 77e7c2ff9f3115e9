"""An application that records the order in which it handles requests and events.

Use it to test that one client's flood doesn't delay the others. The bystander is a WebSocket
client in the server's own process, over a Unix socket. Its data has arrived once `send` returns, so
the trace is exact however busy the machine is. It sends an echo about every `EVERY` steps.
"""

from __future__ import annotations

import flask_socketio
from flask import Flask, request
from gevent import socket

from chatapp.transport.sio.server import SocketIO
from support.raw import HANDSHAKE, frame

EVERY = 100
ARRIVED, ANSWERED = "arrived", "answered"

app = Flask(__name__)
socketio = SocketIO(app)
trace: list[str] = []
bystander = socket.socket(socket.AF_UNIX)


def step(connection: str) -> None:
    trace.append(connection)
    if trace.count(ARRIVED) == trace.count(ANSWERED) and len(trace) % EVERY > EVERY // 2:
        bystander.send(frame(b'42["echo"]'))
        trace.append(ARRIVED)


class Steps(flask_socketio.Namespace):
    def on_step(self) -> None:
        step(request.sid)

    def on_steps(self) -> int:
        """Acknowledge once all earlier events have been handled."""
        return len(trace)

    def on_echo(self) -> None:
        trace.append(ANSWERED)


socketio.on_namespace(Steps("/"))


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/bystander")
def connect_bystander() -> str:
    """Connect the bystander to this server's Unix socket."""
    bystander.connect(request.args["path"])
    path = "/socket.io/?EIO=4&transport=websocket"
    head = HANDSHAKE.format(path=path, host="x", connection="Upgrade", headers="")
    bystander.sendall(head.encode())
    receive_until(b"pingInterval")
    bystander.sendall(frame(b"40"))
    receive_until(b'40{"sid"')
    return "ok"


def receive_until(expected: bytes) -> None:
    received = b""
    while expected not in received:
        received += bystander.recv(65536)


@app.route("/step", methods=["GET", "POST"])
def one_step() -> str:
    """Record a step of the request's connection, and one for each 256 bytes of its body."""
    while request.stream.read(256):
        step(request.environ["REMOTE_PORT"])
    step(request.environ["REMOTE_PORT"])
    return "ok"


@app.get("/trace")
def whole_trace() -> list[str]:
    return trace
