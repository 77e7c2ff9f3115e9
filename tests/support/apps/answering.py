"""An application with a response larger than the kernel's buffers, and a timeout of 1 s.

Use it to test clients that don't read their responses.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response

from chatapp.transport.sio.server import SocketIO

app = Flask(__name__)
SocketIO(app, request_timeout=1)
handlers: list[object] = []


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.get("/large")
def large() -> Response:
    return Response(parts())


def parts() -> Iterator[bytes]:
    handler = object()
    handlers.append(handler)
    try:
        for _ in range(20):
            yield b"x" * 2**20
    finally:
        handlers.remove(handler)


@app.get("/handlers")
def count_handlers() -> str:
    """The number of requests that are being answered with the large response."""
    return str(len(handlers))
