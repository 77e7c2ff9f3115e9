"""HTTP long polling: GET takes packets, POST brings them."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

from engineio import packet as engineio_packet
from engineio.packet import Packet
from gevent.monkey import get_original

from chatapp.transport.eio.session import Connection, Reason
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.http.guard import MAX_DIGITS, is_chunked
from chatapp.transport.http.servers import server_socket, shut
from chatapp.transport.loop.meter import units_of
from chatapp.transport.loop.runtime import Runtime

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

OCTETS = "application/octet-stream"
LOOK_SECONDS = 1.0
"""How often a waiting poll looks whether its client is still there."""

Answer = tuple[str, str, bytes]
"""Status, content type and body."""

BROKEN: Answer = ("400 Bad Request", "text/plain", b"")
TOO_LARGE: Answer = ("413 Content Too Large", "text/plain", b"")
TIMED_OUT: Answer = ("408 Request Timeout", "text/plain", b"")
TOO_MANY: Answer = ("429 Too Many Requests", "text/plain", b"")
TAKEN: Answer = ("200 OK", "text/html", b"ok")
native_poll = get_original("select", "poll")


def poll(connection: Connection, environ: WSGIEnvironment) -> Answer:
    """Wait for packets and answer with them, 16 at most; a second poll at once ends the session."""
    if not connection.charge(1):
        connection.close(False, True, Reason.TRANSPORT_ERROR)
        return TOO_MANY
    with connection.lock:
        overlaps = connection.news is not None
        connection.news = connection.news or connection.runtime.event()
        if overlaps:
            connection.outgoing.append(Packet(engineio_packet.CLOSE))  # the first one's answer
    if overlaps:
        connection.close(False, True, Reason.TRANSPORT_ERROR)
        return BROKEN
    try:
        packets = _wait(connection, environ)
    finally:
        connection.news = None
        connection.last_poll = connection.runtime.clock.now()
    return "200 OK", *connection.payload(packets)


def _wait(connection: Connection, environ: WSGIEnvironment) -> list[Packet]:
    while True:
        connection.news.clear()
        if connection.upgraded or connection.upgrading:
            return [Packet(engineio_packet.NOOP)]
        if _has_hung_up(environ):  # first, as else what it's told would be taken for heard
            connection.close(False, True, Reason.TRANSPORT_CLOSE)
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
        connection.close(False, True, Reason.TRANSPORT_ERROR)
    return answer


def _take_body(connection: Connection, environ: WSGIEnvironment) -> Answer:
    answer, body = _read(connection, environ)
    if answer is not TAKEN:
        if answer is TOO_LARGE:
            connection.runtime.refused["large_body"] += 1
        return answer
    try:
        packets = connection.packets(body, environ.get("CONTENT_TYPE") == OCTETS)
    except MalformedPacket:
        return BROKEN
    if not connection.charge(units_of(len(body), len(packets))):
        return TOO_MANY
    for packet in packets:
        connection.runtime.scheduler.wait_turn()
        connection.received(packet)
    if connection.closed and connection.reason == Reason.TRANSPORT_ERROR:
        return BROKEN
    return TAKEN


def _read(connection: Connection, environ: WSGIEnvironment) -> tuple[Answer, bytes]:
    """The body, if it comes in the time that it has, whole and in bounds."""
    bound = connection.runtime.limits.max_message_bytes
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        return BROKEN, b""
    if len(length) > MAX_DIGITS or int(length) > bound:
        return TOO_LARGE, b""
    chunked = is_chunked(environ)
    most = bound + 1 if chunked else int(length)
    deadline = Deadline(connection.runtime, environ)
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

    def __init__(self, runtime: Runtime, environ: WSGIEnvironment) -> None:
        self.passed = False
        self._environ = environ
        self.timer = runtime.clock.call_later(runtime.limits.request_timeout, self._pass)

    def _pass(self) -> None:
        self.passed = True
        shut(self._environ, socket.SHUT_RD)


def _has_hung_up(environ: WSGIEnvironment) -> bool:
    sock = server_socket(environ)
    if sock is None or sock.fileno() < 0:
        return False
    watched = native_poll()
    watched.register(sock.fileno(), select.POLLRDHUP)
    return bool(watched.poll(0))
