"""A WebSocket echo server on the transport's classes, without Engine.IO.

Use it to test the WebSocket protocol alone (tests/servers/test_autobahn.py).
"""

from __future__ import annotations

from flask import Flask

from chatapp.transport.http.servers import leaving, server_socket
from chatapp.transport.sio.server import SocketIO
from chatapp.transport.websocket import protocol as websocket
from chatapp.transport.websocket.channel import Channel
from chatapp.transport.websocket.handshake import accept

BOUND = 32 * 2**20

app = Flask(__name__)
tasks = SocketIO(app, outbox_bytes=BOUND, stall=10).server.eio


class Echo:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def received(self, message: str | bytes) -> None:
        self.channel.write(websocket.frame(message))

    def charge(self, units: int) -> bool:
        return True

    def ended(self) -> None:
        pass


def answer(environ, start_response):
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [])
        return []
    channel = Channel(server_socket(environ), websocket.WebSocket(BOUND), tasks)
    first = b"" if "wsgi.websocket" in environ else accept(environ)
    channel.open(Echo(channel), first)
    if not channel.lives_on(environ):
        channel.run()
    raise leaving(environ)


app.wsgi_app = answer
