"""Bounds on the connections that a server accepts, before anything has been asked over them."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from gevent import get_hub
from werkzeug.serving import ThreadedWSGIServer

REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)
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


def expect_stalled(worker: Any) -> None:
    """Have gunicorn's `worker` log no traceback where the kernel has ended a stalled connection, or
    where a client has gone that gevent's pywsgi tells of its malformed request."""
    worker.log.error_log.addFilter(is_unexpected)
    if worker.server_class is not None:  # gevent's pywsgi
        handler = worker.wsgi_handler
        handler.ignored_socket_errors = (*handler.ignored_socket_errors, errno.ETIMEDOUT)
        hub = get_hub()
        hub.NOT_ERROR = (*hub.NOT_ERROR, ConnectionError, TimeoutError)


def is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a record tells of something else than a connection that the kernel has ended."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, OSError) and error.errno == errno.ETIMEDOUT)


def bound_connections(worker: Any, connections: Connections) -> None:
    """Have gunicorn's `worker`, which isn't running yet, refuse an address's connections beyond its
    bound with 429."""
    if worker.server_class is None:
        worker.handle = partial(serve, connections, worker.handle)
        return

    class Server(worker.server_class):  # type: ignore[misc]
        """gevent calls `do_close` once for each connection that `do_handle` has taken."""

        def do_handle(self, sock: Any, address: Any) -> None:
            if connections.connect(host_of(address)):
                super().do_handle(sock, address)
            else:
                refuse(sock)

        def do_close(self, sock: Any, address: Any) -> None:
            super().do_close(sock, address)
            connections.disconnect(host_of(address))

    worker.server_class = Server


def serve(
    connections: Connections, handle: Callable[..., Any], listener: Any, sock: Any, address: Any
) -> None:
    """Have gunicorn serve a connection, unless its address has too many."""
    host = host_of(address)
    if not connections.connect(host):
        refuse(sock)
        return
    try:
        handle(listener, sock, address)
    finally:
        connections.disconnect(host)


def host_of(address: Any) -> str:
    return address[0] if isinstance(address, tuple) else ""  # a Unix socket's has none


def refuse(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.send(REFUSAL)  # which a new connection always has room for
    sock.close()


def bound_threads(seconds: float, server_class: type = ThreadedWSGIServer) -> None:
    """Have Werkzeug's development server refuse connections while it has `MAX_THREADS`, and end one
    over which nothing moves for `seconds`."""

    def verify_request(_server: Any, request: socket.socket, _address: Any) -> bool:
        request.settimeout(seconds)
        return threading.active_count() < MAX_THREADS

    server_class.verify_request = verify_request  # type: ignore[attr-defined]
