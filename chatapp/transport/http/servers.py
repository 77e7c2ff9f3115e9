"""Differences between the servers that take our requests.

They are gunicorn's gevent worker, gevent-websocket's, and Werkzeug's (`flask run`).
"""

from __future__ import annotations

import _socket
import errno
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


def server_socket(environ: WSGIEnvironment) -> socket.socket | None:
    """Return the socket that a request came over, or None if the server gives no access to it."""
    sock: socket.socket | None = None
    if "wsgi.websocket" in environ:
        sock = environ["wsgi.websocket"].handler.socket
    for name in ("gunicorn.socket", "gunicorn.sock", "werkzeug.socket"):
        sock = sock or environ.get(name)
    return sock


def finish_request_error(environ: WSGIEnvironment) -> Exception:
    """Return the exception that makes the server drop a request that we have answered.

    The server logs nothing of it.
    """
    if "wsgi.websocket" in environ:
        environ["wsgi.websocket"].closed = True  # else the server sends a close frame of its own
    if "gunicorn.socket" in environ:
        return StopIteration()
    return ConnectionResetError(errno.ECONNRESET, "the WebSocket has ended")


def duplicate(sock: socket.socket) -> _socket.socket:
    """Return a socket on a new descriptor, without Python's and gevent's wrappers."""
    return _socket.socket(sock.family, sock.type, sock.proto, os.dup(sock.fileno()))


def shut(environ: WSGIEnvironment, how: int = socket.SHUT_RDWR) -> None:
    """Shut down the connection of a request, so that a handler that waits for it goes on.

    With gevent's own shutdown that handler would get EBADF, which servers log with a traceback.
    """
    sock = server_socket(environ)
    if sock is not None:
        with suppress(OSError):
            copy = duplicate(sock)
            try:
                copy.shutdown(how)
            finally:
                copy.close()


def end_body(environ: WSGIEnvironment) -> None:
    """Keep Werkzeug from waiting for the rest of a body, which it reads after an answer.

    Call this when the answer's last part has been written.
    """
    if "werkzeug.socket" in environ:
        shut(environ, socket.SHUT_RD)


def leave_body(environ: WSGIEnvironment, unread: object) -> None:
    """Have the server close the connection without reading the rest of a request's body.

    Call this when the answer has been written. `unread` is the server's own `wsgi.input`.

    Raises:
        StopIteration: under gunicorn's gevent worker, which then ends the connection.
    """
    if "gunicorn.socket" in environ:
        raise StopIteration
    if hasattr(unread, "chunked_input"):  # gevent's pywsgi; "Connection: close" ends it
        unread.content_length = 0  # type: ignore[attr-defined]
        unread.chunked_input = False
