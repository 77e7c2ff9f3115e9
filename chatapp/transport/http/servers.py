"""What differs between the servers that take our requests: gunicorn's gevent worker,
gevent-websocket's, and Werkzeug's (`flask run`)."""

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
    """The socket that a request came over; None where the server gives no access to it."""
    sock: socket.socket | None = None
    if "wsgi.websocket" in environ:
        sock = environ["wsgi.websocket"].handler.socket
    for name in ("gunicorn.socket", "gunicorn.sock", "werkzeug.socket"):
        sock = sock or environ.get(name)
    return sock


def finish_request_error(environ: WSGIEnvironment) -> Exception:
    """What to raise so that the server at hand quietly leaves a request that we have answered."""
    if "wsgi.websocket" in environ:
        environ["wsgi.websocket"].closed = True  # else it sends a close frame of its own
    if "gunicorn.socket" in environ:
        return StopIteration()
    return ConnectionResetError(errno.ECONNRESET, "the WebSocket has ended")


def duplicate(sock: socket.socket) -> _socket.socket:
    """A socket on a descriptor of its own, without what Python and gevent put around one."""
    return _socket.socket(sock.family, sock.type, sock.proto, os.dup(sock.fileno()))


def shut(environ: WSGIEnvironment, how: int = socket.SHUT_RDWR) -> None:
    """Shut the connection of a request down, so that a handler that waits for it goes on.

    gevent's own shutdown would raise EBADF there, which servers log with a traceback.
    """
    sock = server_socket(environ)
    if sock is not None:
        with suppress(OSError):
            same = duplicate(sock)
            try:
                same.shutdown(how)
            finally:
                same.close()


def end_body(environ: WSGIEnvironment) -> None:
    """Have what is left of a request's body end where Werkzeug reads it, which it does before it
    closes an answer; call it when the answer's last part has been written."""
    if "werkzeug.socket" in environ:
        shut(environ, socket.SHUT_RD)


def leave_body(environ: WSGIEnvironment, unread: object) -> None:
    """Have the server close the connection without reading the rest of a request's body; call it
    when the answer has been written. `unread`: the server's own `wsgi.input`.

    Raises:
        StopIteration: to gunicorn's gevent worker, which reads the rest only if it goes on.
    """
    if "gunicorn.socket" in environ:
        raise StopIteration
    if hasattr(unread, "chunked_input"):  # gevent's pywsgi; "Connection: close" ends it
        unread.content_length = 0  # type: ignore[attr-defined]
        unread.chunked_input = False
