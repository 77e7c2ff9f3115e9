"""A WebSocket echo server on the transport's classes, without Engine.IO.

Use it to test the WebSocket protocol alone (tests/servers/test_autobahn.py).
"""

from __future__ import annotations

from flask import Flask

from chatapp.transport.http.servers import finish_request_error, server_socket
from chatapp.transport.sio.server import SocketIO
from chatapp.transport.websocket import protocol
from chatapp.transport.websocket.handshake import accept
from chatapp.transport.websocket.transport import WebSocketTransport

BOUND = 32 * 2**20

app = Flask(__name__)
runtime = SocketIO(app, outbox_bytes=BOUND, stall=10).server.eio.runtime


class Echo:
    def __init__(self, websocket: WebSocketTransport) -> None:
        self.websocket = websocket

    def received(self, message: str | bytes) -> None:
        self.websocket.write(protocol.frame(message))

    def charge(self, units: int) -> bool:
        return True

    def ended(self) -> None:
        pass


def answer(environ, start_response):
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [])
        return []
    websocket = WebSocketTransport(server_socket(environ), protocol.WebSocket(BOUND), runtime)
    first = b"" if "wsgi.websocket" in environ else accept(environ)
    websocket.open(Echo(websocket), first)
    if not websocket.survives_request(environ):
        websocket.run()
    raise finish_request_error(environ)


app.wsgi_app = answer
