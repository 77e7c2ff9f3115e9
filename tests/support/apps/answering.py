"""An application with an answer that is too large for the kernel's buffers, and little patience."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response

from chatapp.transport.sio.server import SocketIO

app = Flask(__name__)
SocketIO(app, request_timeout=1)
answering: list[object] = []


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.get("/large")
def large() -> Response:
    return Response(parts())


def parts() -> Iterator[bytes]:
    this = object()
    answering.append(this)
    try:
        for _ in range(20):
            yield b"x" * 2**20
    finally:
        answering.remove(this)


@app.get("/handlers")
def handlers() -> str:
    """How many are at the large answer."""
    return str(len(answering))
