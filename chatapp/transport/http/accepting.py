"""Bounds on the connections that a server accepts, before anything has been asked over them, and
fair reading from them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from http.client import LineTooLong
from typing import Any, Protocol

from werkzeug.serving import ThreadedWSGIServer

from chatapp.transport.loop.reading import ReadScheduler

REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)
HEAD_BYTES = 65536
"""Of a request's header fields under gevent's HTTP server, which by itself takes 6.5 MB."""
MAX_THREADS = 1000
"""Under Flask's own server, which has one for each connection."""


class Connections(Protocol):
    """Counts connections (eio.admission.Admission)."""

    def connect(self, address: str) -> bool: ...
    def disconnect(self, address: str) -> None: ...


def end_stalled(listeners: Iterable[socket.socket], seconds: float) -> None:
    """Have the kernel end a connection whose peer takes nothing of what is sent for `seconds`, the
    server's close included (RFC 5482). Accepted sockets inherit this."""
    for listener in listeners:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            milliseconds = round(seconds * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def bound_connections(worker: Any, connections: Connections) -> None:
    """Have gunicorn's `worker`, which isn't running yet, refuse an address's connections beyond its
    bound with 429."""
    serve_by(worker, partial(serve, connections))


def read_in_turns(worker: Any, scheduler: ReadScheduler) -> None:
    """Have gunicorn's `worker`, which isn't running yet, read from each connection in its turn.

    Servers parse heads, chunks and trailers as long as bytes come, and a read doesn't switch to
    another greenlet while the kernel has some.
    """
    kinds: dict[type, type] = {}

    def serve_in_turns(handle: Callable[..., Any], *arguments: Any) -> None:
        *_, sock, _ = arguments
        kind = type(sock)
        if kind not in kinds:
            kinds[kind] = in_turns(kind, scheduler)
        sock.__class__ = kinds[kind]
        handle(*arguments)

    serve_by(worker, serve_in_turns)


def in_turns(kind: Any, scheduler: ReadScheduler) -> type:
    """Return a subclass of a class of sockets, which waits for its turn after each read."""

    class InTurns(kind):  # type: ignore[misc]
        __slots__ = ()

        def recv(self, *arguments: Any) -> Any:
            return self._in_turn(super().recv(*arguments))

        def recv_into(self, *arguments: Any) -> Any:
            return self._in_turn(super().recv_into(*arguments))

        def _in_turn(self, received: Any) -> Any:
            if received and self.gettimeout() != 0:  # else it's read on the loop
                scheduler.wait_after_read()
            return received

    return InTurns


def bound_heads(worker: Any) -> None:
    """Have gunicorn's `worker`, which isn't running yet, refuse a request whose header fields are
    over HEAD_BYTES with 400, where it serves by gevent's HTTP server: gunicorn's has bounds."""
    if worker.server_class is None:
        return

    class Handler(worker.wsgi_handler):  # type: ignore[misc]
        def MessageClass(self, head: Any, *arguments: Any) -> Any:  # noqa: N802 (gevent's name)
            return super().MessageClass(Head(head), *arguments)

    worker.wsgi_handler = Handler


class Head:
    """A request's head, of which so many bytes are read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = HEAD_BYTES

    def readline(self, size: int) -> bytes:
        """Return the next line.

        Raises:
            LineTooLong: it is over the bound; gevent's server takes this for a bad request.
        """
        line: bytes = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head")
        return line


def serve_by(worker: Any, serve: Callable[..., Any]) -> None:
    """Have gunicorn's `worker` serve each connection by `serve(handle, …, sock, address)`, where
    `handle(…, sock, address)` is what did so before."""
    if worker.server_class is None:
        worker.handle = partial(serve, worker.handle)
        return

    class Server(worker.server_class):  # type: ignore[misc]
        def handle(self, sock: Any, address: Any) -> None:
            serve(super().handle, sock, address)

    worker.server_class = Server


def serve(connections: Connections, handle: Callable[..., Any], *arguments: Any) -> None:
    """Have `handle(…, sock, address)` serve a connection, unless its address has too many."""
    *_, sock, peer = arguments
    address = peer[0] if isinstance(peer, tuple) else ""  # a Unix socket's has none
    if not connections.connect(address):
        with suppress(OSError):
            sock.sendall(REFUSAL)
        sock.close()
        return
    try:
        with suppress(ConnectionError):  # of which pywsgi would log a traceback
            handle(*arguments)
    finally:
        connections.disconnect(address)


def bound_threads(seconds: float, server_class: type = ThreadedWSGIServer) -> None:
    """Have Werkzeug's development server refuse connections while it has `MAX_THREADS`, and end one
    over which nothing moves for `seconds`."""

    def verify_request(_server: Any, request: socket.socket, _address: Any) -> bool:
        request.settimeout(seconds)
        return threading.active_count() < MAX_THREADS

    server_class.verify_request = verify_request  # type: ignore[attr-defined]
