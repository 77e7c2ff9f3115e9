"""Bounds on the connections that a server accepts, before any request comes over them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

from werkzeug.serving import ThreadedWSGIServer

REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)
MAX_THREADS = 1000
"""Threads of Flask's own server, which has one for each connection."""


class Connections(Protocol):
    """Counts connections by address (eio.limiter.ConnectionLimiter)."""

    def connect(self, address: str) -> bool: ...
    def disconnect(self, address: str) -> None: ...


class Uncounted:
    """Counts no connections: behind a proxy, all are the proxy's."""

    def connect(self, address: str) -> bool:  # noqa: ARG002
        return True

    def disconnect(self, address: str) -> None:
        pass


def host_of(address: Any) -> str:
    return address[0] if isinstance(address, tuple) else ""  # of a Unix socket


def refuse(sock: socket.socket) -> None:
    """Answer a connection that is over the bound, and close it."""
    with suppress(OSError):
        sock.send(REFUSAL)  # a new connection always has room for it
    sock.close()


def end_stalled(listeners: Iterable[socket.socket], seconds: float) -> None:
    """Have the kernel end a connection whose peer takes no data for `seconds` (RFC 5482).

    Accepted sockets inherit this from `listeners`. It holds after the server's close as well.
    """
    for listener in listeners:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            milliseconds = round(seconds * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def bound_threads(seconds: float, server_class: type = ThreadedWSGIServer) -> None:
    """Bound the threads of Werkzeug's development server.

    It refuses connections while it has `MAX_THREADS`, and ends one over which nothing moves for
    `seconds`.
    """

    def verify_request(_server: Any, request: socket.socket, _address: Any) -> bool:
        request.settimeout(seconds)
        if request.family in (socket.AF_INET, socket.AF_INET6):
            # Else the kernel holds back small writes until a delayed ACK comes (RFC 9293, 3.7.4).
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return threading.active_count() < MAX_THREADS

    server_class.verify_request = verify_request  # type: ignore[attr-defined]
