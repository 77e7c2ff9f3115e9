"""HTTP long polling: GET takes packets, POST brings them."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from engineio import packet as engineio_packet
from engineio.packet import Packet
from gevent.monkey import get_original

from chatapp.transport.errors import MalformedPacket
from chatapp.transport.websocket.channel import server_socket

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from chatapp.transport.eio.server import EngineServer
    from chatapp.transport.eio.session import Connection

OCTETS = "application/octet-stream"
LOOK_SECONDS = 1.0
"""How often a waiting poll looks whether its client is still there."""

Answer = tuple[str, str, bytes]
"""Status, content type and body."""

BROKEN: Answer = ("400 Bad Request", "text/plain", b"")
TOO_LARGE: Answer = ("413 Content Too Large", "text/plain", b"")
TIMED_OUT: Answer = ("408 Request Timeout", "text/plain", b"")
TAKEN: Answer = ("200 OK", "text/html", b"ok")
MAX_DIGITS = 15
"""Of a body's length: longer numbers aren't read."""
native_poll = get_original("select", "poll")


def poll(connection: Connection, environ: WSGIEnvironment) -> Answer:
    """Wait for packets and answer with them, 16 at most; a second poll at once ends the session."""
    with connection.lock:
        overlaps = connection.news is not None
        connection.news = connection.news or connection.server.create_event()
        if overlaps:
            connection.outgoing.append(Packet(engineio_packet.CLOSE))  # the first one's answer
    if overlaps:
        connection.close(False, True, connection.server.reason.TRANSPORT_ERROR)
        return BROKEN
    try:
        packets = _wait(connection, environ)
    finally:
        connection.news = None
        connection.last_poll = connection.server.clock.now()
    return "200 OK", *connection.payload(packets)


def _wait(connection: Connection, environ: WSGIEnvironment) -> list[Packet]:
    while True:
        connection.news.clear()
        if connection.upgraded or connection.upgrading:
            return [Packet(engineio_packet.NOOP)]
        if _has_hung_up(environ):  # first, as else what it's told would be taken for heard
            connection.close(False, True, connection.server.reason.TRANSPORT_CLOSE)
        elif connection.outgoing:
            return connection.take()
        if connection.closed:
            return [Packet(engineio_packet.NOOP)]
        connection.news.wait(LOOK_SECONDS)


def post(connection: Connection, environ: WSGIEnvironment) -> Answer:
    """Take the packets of a body; what breaks the rules ends the session with this answer."""
    answer = BROKEN
    with connection.lock:
        overlaps, connection.posting = connection.posting, True
    if not overlaps:
        try:
            answer = _take_body(connection, environ)
        finally:
            connection.posting = False
    if answer is not TAKEN:
        connection.close(False, True, connection.server.reason.TRANSPORT_ERROR)
    return answer


def _take_body(connection: Connection, environ: WSGIEnvironment) -> Answer:
    answer, body = _read(connection, environ)
    if answer is not TAKEN:
        return answer
    try:
        packets = connection.packets(body, environ.get("CONTENT_TYPE") == OCTETS)
    except MalformedPacket:
        return BROKEN
    for packet in packets:
        connection.received(packet)
    if connection.closed and connection.reason == connection.server.reason.TRANSPORT_ERROR:
        return BROKEN
    return TAKEN


def _read(connection: Connection, environ: WSGIEnvironment) -> tuple[Answer, bytes]:
    """The body, if it comes in the time that it has, whole and in bounds."""
    bound = connection.server.max_http_buffer_size
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        return BROKEN, b""
    if len(length) > MAX_DIGITS or int(length) > bound:
        return TOO_LARGE, b""
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    most = bound + 1 if chunked else int(length)
    deadline = Deadline(connection.server, environ)
    try:
        body: bytes | None = environ["wsgi.input"].read(most)
    except Exception:  # each server has its own; gunicorn's are no OSErrors
        body = None
    deadline.timer.cancel()
    if deadline.passed:
        return TIMED_OUT, b""
    if body is None or (not chunked and len(body) < most):
        return BROKEN, b""
    return (TOO_LARGE if len(body) > bound else TAKEN), body


class Deadline:
    """When what has come of a request's body is all that comes."""

    def __init__(self, server: EngineServer, environ: WSGIEnvironment) -> None:
        self.passed = False
        self._sock = server_socket(environ)
        self.timer = server.clock.call_later(server.request_timeout, self._pass)

    def _pass(self) -> None:
        self.passed = True
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RD)


def leave_unread(server: EngineServer, environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """The headers of an answer that has not waited for a body, of which what is still to come gets
    no longer than if it had: the other servers than gunicorn would read it to its end."""
    if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
        return []
    if "gunicorn.socket" not in environ:
        Deadline(server, environ)
    return [("Connection", "close")]


def _has_hung_up(environ: WSGIEnvironment) -> bool:
    sock = server_socket(environ)
    if sock is None or sock.fileno() < 0:
        return False
    watched = native_poll()
    watched.register(sock.fileno(), select.POLLRDHUP)
    return bool(watched.poll(0))
