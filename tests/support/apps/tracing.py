"""An application that traces the order of its steps, and has a bystander of its own.

The bystander is a WebSocket client inside the server's process, over a Unix socket: what it sends
has arrived when `send` returns. It sends an echo every `EVERY` steps or so, and the trace has the
very moment, whatever else the machine does.
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
        """Acknowledged once all before are done."""
        return len(trace)

    def on_echo(self) -> None:
        trace.append(ANSWERED)


socketio.on_namespace(Steps("/"))


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/bystander")
def connect_bystander() -> str:
    """Connect the bystander to the Unix socket that this server listens on, too."""
    bystander.connect(request.args["path"])
    path = "/socket.io/?EIO=4&transport=websocket"
    head = HANDSHAKE.format(path=path, host="x", connection="Upgrade", headers="")
    bystander.sendall(head.encode())
    hear(b"pingInterval")
    bystander.sendall(frame(b"40"))
    hear(b'40{"sid"')
    return "ok"


def hear(expected: bytes) -> None:
    received = b""
    while expected not in received:
        received += bystander.recv(65536)


@app.route("/step", methods=["GET", "POST"])
def one_step() -> str:
    """A step of the connection that the request came over, and one for each 256 bytes of a body."""
    while request.stream.read(256):
        step(request.environ["REMOTE_PORT"])
    step(request.environ["REMOTE_PORT"])
    return "ok"


@app.get("/trace")
def whole_trace() -> list[str]:
    return trace
