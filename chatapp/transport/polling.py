"""HTTP long polling (Engine.IO protocol 4): GET takes packets, POST brings them."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from engineio import packet as engineio_packet
from engineio.packet import Packet
from engineio.payload import Payload
from gevent.monkey import get_original

from chatapp.transport.channel import server_socket

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from chatapp.transport.connection import Connection

SEPARATOR = "\x1e"
LOOK_SECONDS = 1.0
"""How often a waiting poll looks whether its client is still there."""

Answer = tuple[str, str, str]
"""Status, content type and body."""

BROKEN: Answer = ("400 Bad Request", "text/plain", "")
TOO_LARGE: Answer = ("413 Content Too Large", "text/plain", "")
TIMED_OUT: Answer = ("408 Request Timeout", "text/plain", "")
native_poll = get_original("select", "poll")


def poll(connection: Connection, environ: WSGIEnvironment) -> Answer:
    """Wait for packets and answer with them, 16 at most; a second poll at once ends the session."""
    if connection.news is not None:
        connection.close(False, True, connection.server.reason.TRANSPORT_ERROR)
        return BROKEN
    connection.news = connection.server.create_event()
    try:
        packets = _wait(connection, environ)
    finally:
        connection.news = None
        connection.last_poll = monotonic()
    return "200 OK", "text/plain; charset=UTF-8", Payload(packets).encode()


def _wait(connection: Connection, environ: WSGIEnvironment) -> list[Packet]:
    while True:
        connection.news.clear()
        if connection.upgraded or connection.upgrading:
            return [Packet(engineio_packet.NOOP)]
        if connection.outgoing:
            return connection.take()
        if connection.closed:
            return [Packet(engineio_packet.NOOP)]
        if not connection.news.wait(LOOK_SECONDS) and _has_hung_up(environ):
            connection.close(False, True, connection.server.reason.TRANSPORT_CLOSE)


def post(connection: Connection, environ: WSGIEnvironment) -> Answer:
    """Take the packets of a body; what breaks the rules ends the session with this answer."""
    answer = BROKEN
    if not connection.posting:
        connection.posting = True
        try:
            answer = _take_body(connection, environ)
        finally:
            connection.posting = False
    if answer[0] != "200 OK":
        connection.close(False, True, connection.server.reason.TRANSPORT_ERROR)
    return answer


def _take_body(connection: Connection, environ: WSGIEnvironment) -> Answer:
    bound = connection.server.max_http_buffer_size
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or "octet-stream" in environ.get("CONTENT_TYPE", ""):
        return BROKEN
    if int(length) > bound:
        return TOO_LARGE
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        body = _read(connection, environ, bound + 1)
        if len(body) > bound:
            return TOO_LARGE
    else:
        body = _read(connection, environ, int(length))
        if len(body) < int(length):
            return TIMED_OUT
    try:
        packets = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        return BROKEN
    for packet in packets:
        connection.received(packet)
    if connection.closed and connection.reason == connection.server.reason.TRANSPORT_ERROR:
        return BROKEN
    return "200 OK", "text/html", "ok"


def _read(connection: Connection, environ: WSGIEnvironment, length: int) -> bytes:
    """The body, or what has come of it in the time that a request has."""
    sock = server_socket(environ)
    server = connection.server
    deadline = server.clock.call_later(server.request_timeout, partial(_stop_reading, sock))
    try:
        body: bytes = environ["wsgi.input"].read(length)
    except OSError:
        return b""
    finally:
        deadline.cancel()
    return body


def _stop_reading(sock: socket.socket | None) -> None:
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RD)


def _has_hung_up(environ: WSGIEnvironment) -> bool:
    sock = server_socket(environ)
    if sock is None or sock.fileno() < 0:
        return False
    watched = native_poll()
    watched.register(sock.fileno(), select.POLLRDHUP)
    return bool(watched.poll(0))
