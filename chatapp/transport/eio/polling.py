"""HTTP long polling: a GET fetches packets, a POST sends them."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

from engineio import packet as engineio_packet
from engineio.packet import Packet
from gevent.monkey import get_original

from chatapp.transport.eio.sender import PollQueue
from chatapp.transport.eio.session import Reason, Session
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.http.guard import MAX_DIGITS, is_chunked
from chatapp.transport.http.servers import server_socket, shut
from chatapp.transport.loop.meter import units_of
from chatapp.transport.loop.runtime import Runtime

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

OCTETS = "application/octet-stream"
LOOK_SECONDS = 1.0
"""How often a waiting poll checks whether its client is still there."""

Answer = tuple[str, str, bytes]
"""A status, content type and body."""

BROKEN: Answer = ("400 Bad Request", "text/plain", b"")
TOO_LARGE: Answer = ("413 Content Too Large", "text/plain", b"")
TIMED_OUT: Answer = ("408 Request Timeout", "text/plain", b"")
TOO_MANY: Answer = ("429 Too Many Requests", "text/plain", b"")
TAKEN: Answer = ("200 OK", "text/html", b"ok")
native_poll = get_original("select", "poll")


def poll(session: Session, environ: WSGIEnvironment) -> Answer:
    """Wait for packets and answer with up to 16. A second poll at once ends the session."""
    if not session.charge(1):
        session.close(False, True, Reason.TRANSPORT_ERROR)
        return TOO_MANY
    polls = session.polls
    if polls is None:  # it has upgraded meanwhile
        return "200 OK", *session.payload([Packet(engineio_packet.NOOP)])
    with session.lock:
        overlaps = polls.event is not None
        polls.event = polls.event or session.runtime.event()
        if overlaps:
            polls.packets.append(Packet(engineio_packet.CLOSE))  # the first poll's answer
    if overlaps:
        session.close(False, True, Reason.TRANSPORT_ERROR)
        return BROKEN
    try:
        packets = _wait(session, polls, environ)
    finally:
        polls.event = None
        polls.last_poll = session.runtime.clock.now()
    return "200 OK", *session.payload(packets)


def _wait(session: Session, polls: PollQueue, environ: WSGIEnvironment) -> list[Packet]:
    """Wait for packets, or until the session has moved or ended, and return the answer's."""
    while True:
        polls.event.clear()
        if session.over_websocket or session.upgrading:
            return [Packet(engineio_packet.NOOP)]
        if _has_hung_up(environ):  # first, as packets sent to a lost client would count as received
            session.close(False, True, Reason.TRANSPORT_CLOSE)
        elif polls.packets:
            return session.take()
        if session.closed:
            return [Packet(engineio_packet.NOOP)]
        polls.event.wait(LOOK_SECONDS)


def post(session: Session, environ: WSGIEnvironment) -> Answer:
    """Take the packets of a body. A body that breaks the rules ends the session."""
    answer = BROKEN
    polls = session.polls or PollQueue(0)  # none if it has upgraded meanwhile
    with session.lock:
        overlaps, polls.posting = polls.posting, True
    if not overlaps:
        try:
            answer = _take_body(session, environ)
        finally:
            polls.posting = False
    if answer is not TAKEN:
        session.close(False, True, Reason.TRANSPORT_ERROR)
    return answer


def _take_body(session: Session, environ: WSGIEnvironment) -> Answer:
    answer, body = _read(session, environ)
    if answer is not TAKEN:
        if answer is TOO_LARGE:
            session.runtime.refused["large_body"] += 1
        return answer
    try:
        packets = session.packets(body, environ.get("CONTENT_TYPE") == OCTETS)
    except MalformedPacket:
        return BROKEN
    if not session.charge(units_of(len(body), len(packets))):
        return TOO_MANY
    for packet in packets:
        session.runtime.scheduler.wait_for_step()
        session.received(packet)
    if session.closed and session.reason == Reason.TRANSPORT_ERROR:
        return BROKEN
    return TAKEN


def _read(session: Session, environ: WSGIEnvironment) -> tuple[Answer, bytes]:
    """Return TAKEN and the body, or an error if the body is late, broken or too large."""
    bound = session.runtime.limits.max_message_bytes
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        return BROKEN, b""
    if len(length) > MAX_DIGITS or int(length) > bound:
        return TOO_LARGE, b""
    chunked = is_chunked(environ)
    size = bound + 1 if chunked else int(length)
    deadline = Deadline(session.runtime, environ)
    try:
        body: bytes | None = environ["wsgi.input"].read(size)
    except Exception:  # each server has its own errors; gunicorn's are no OSErrors
        body = None
    deadline.timer.cancel()
    if deadline.passed:
        return TIMED_OUT, b""
    if body is None or (not chunked and len(body) < size):
        return BROKEN, b""
    return (TOO_LARGE if len(body) > bound else TAKEN), body


class Deadline:
    """The time limit of a request's body. After it, the server reads no more of the body."""

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
