"""A WebSocket on the socket of whichever server took the request (RFC 6455)."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Protocol, Side
from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN_TEXT = [("Content-Type", "text/plain; charset=utf-8")]
RECEIVE_BYTES = 65536


class WebSocket:
    """One open WebSocket: whole messages in, whole messages out.

    `max_bytes` bounds a message, fragments together: a security limit. What breaks the protocol is
    answered with its close code (1002, 1007, 1009) and ends the connection. Not compressed.
    """

    def __init__(self, sock: socket.socket, max_bytes: int) -> None:
        self._sock = sock
        self._protocol = Protocol(Side.SERVER, state=OPEN, max_size=max_bytes)
        self._frames: list[Frame] = []
        self._lock = Lock()

    def wait(self) -> str | bytes | None:
        """The next message; None once the connection has ended."""
        fragments: list[Frame] = []
        while (frame := self._next_frame()) is not None:
            if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            fragments.append(frame)
            if frame.fin:
                body = b"".join(fragment.data for fragment in fragments)
                if fragments[0].opcode is Opcode.BINARY:
                    return body
                try:
                    return body.decode()
                except UnicodeDecodeError:
                    self.close(1007)
        return None

    def send(self, message: str | bytes) -> None:
        """Send a message; it blocks as long as the kernel takes no more."""
        with self._lock:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            self._flush()

    def close(self, code: int = 1000) -> None:
        """Send a close frame and end both directions (RFC 6455, section 7)."""
        with self._lock, contextlib.suppress(OSError):
            if self._protocol.state is OPEN:
                self._protocol.fail(code)
                self._flush()
            self._sock.shutdown(socket.SHUT_RDWR)

    def _next_frame(self) -> Frame | None:
        while not self._frames:
            try:
                received = self._sock.recv(RECEIVE_BYTES)
            except OSError:
                return None
            with self._lock, contextlib.suppress(OSError):
                if received:
                    self._protocol.receive_data(received)
                else:
                    self._protocol.receive_eof()
                self._flush()
                self._frames = [e for e in self._protocol.events_received() if isinstance(e, Frame)]
            if not received or self._protocol.state is not OPEN:
                return None
        return self._frames.pop(0)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._sock.sendall(data)


def accept(environ: Mapping[str, Any]) -> Response:
    """The answer to a request for a WebSocket (RFC 6455, section 4.2): a 101, or what is wrong."""
    headers = Headers(
        (name[5:].replace("_", "-").title(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    )
    return ServerProtocol().accept(Request(environ["PATH_INFO"], headers))


def endpoint(handler: Callable[[WebSocket], Any], max_bytes: int) -> WSGIApplication:
    """A WSGI application that opens a WebSocket and has `handler` live on it.

    It takes the socket from `gunicorn -k gevent`, gevent-websocket's worker or `flask run`, and
    ends as each of them expects of a request that it need not answer.
    """

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        upgraded = environ.get("wsgi.websocket")  # gevent-websocket has sent the 101
        response = None if upgraded else accept(environ)
        if response is not None and response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            start_response(f"{response.status_code} {response.reason_phrase}", PLAIN_TEXT)
            return [bytes(response.body)]
        sock = upgraded.handler.socket if upgraded else _socket(environ)
        if response is not None:
            sock.sendall(response.serialize())
        try:
            handler(WebSocket(sock, max_bytes))
        finally:
            if upgraded:
                upgraded.closed = True  # else it sends a close frame of its own
        if "gunicorn.socket" in environ:
            raise StopIteration
        if upgraded:
            return []
        raise ConnectionResetError(errno.ECONNRESET, "the WebSocket has ended")

    return serve


def _socket(environ: WSGIEnvironment) -> socket.socket:
    for server in ("gunicorn.socket", "gunicorn.sock", "werkzeug.socket"):
        if server in environ:
            sock: socket.socket = environ[server]
            return sock
    raise RuntimeError("this server gives no access to its sockets")
