"""Engine.IO 3: the sessions of older clients, and what their protocol differs in.

Sections are those of the protocol's document (socketio/engine.io-protocol, v3). Where it is silent,
engine.io 6 with `allowEIO3` decides.

Everything else is as in Engine.IO 4: requests, errors, the open packet, the upgrade, closing, and
text over a WebSocket. So an event for a room is the same frame for clients of both protocols.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import ClassVar

from engineio import packet as engineio_packet
from engineio.packet import Packet

from chatapp.transport.eio.heartbeat import Heartbeat, Monitored, whole_tenths
from chatapp.transport.eio.session import END, Owner, Session
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.protocol import frame

# The session


class ClientPings(Heartbeat):
    """Answers the client's pings ("ping"), and ends a session whose client is silent.

    A client must ping within the session timeout, and over polling must poll within it as well. An
    upgrade changes nothing here; the reference server stops counting until the next ping.
    """

    __slots__ = ("_last",)

    def __init__(self, session: Monitored) -> None:
        self._session = session
        self._last = session.runtime.clock.now()
        self._timer = self._schedule(session.runtime.limits.session_timeout)

    def ping(self) -> None:
        """Take a ping."""
        self._last = self._session.runtime.clock.now()

    def _beat(self) -> None:
        session = self._session
        since = self._last
        if session.awaits_poll:
            since = min(since, session.last_poll)
        left = since + session.runtime.limits.session_timeout - session.runtime.clock.now()
        if left > 0:
            self._timer = self._schedule(whole_tenths(left))
        else:
            session.time_out()


PONG = Packet(engineio_packet.PONG)
"""One object for all pings: a client that never polls costs only references to it."""


class EIO3Session(Session):
    """A session of protocol 3."""

    __slots__ = ("_base64",)
    protocol: ClassVar[str] = "3"
    _heartbeat: ClientPings

    def __init__(self, runtime: Runtime, owner: Owner, sid: str, address: str) -> None:
        super().__init__(runtime, owner, sid, address)
        self._base64 = False

    def _start_heartbeat(self) -> ClientPings:
        return ClientPings(self)

    def configure(self, query: dict[str, str]) -> None:
        """Take `b64`: the client can't read binary."""
        self._base64 = bool(query.get("b64"))

    def received(self, message: str | bytes) -> None:
        kind = message[:1]
        if kind == "2":
            self._heartbeat.ping()
            self.send(PONG)
        elif kind == "3":  # only the client pings
            self.inbox.put(END)
        else:
            super().received(as_in_4(message))

    def send(self, packet: Packet) -> None:
        super().send(Binary(packet.data, self._base64) if packet.binary else packet)

    def payload(self, packets: list[Packet]) -> tuple[str, bytes]:
        if any(packet.binary for packet in packets) and not self._base64:
            return "application/octet-stream", b"".join(map(octets, packets))
        return "text/plain; charset=UTF-8", ("".join(map(text, packets)) or "0:").encode()

    def packets(self, body: bytes, binary: bool) -> list[str | bytes]:
        return from_octets(body) if binary else from_text(body)


# Packets ("Packet")


class Binary(Packet):  # type: ignore[misc]
    """A binary message: the byte 4 and the data, or `b4` and base64 (`b64`)."""

    def __init__(self, data: bytes, base64: bool) -> None:
        super().__init__(engineio_packet.MESSAGE, data)
        self.frame = frame(self.encode(base64))

    def encode(self, b64: bool = False) -> str | bytes:
        return "b4" + b64encode(self.data).decode() if b64 else b"\x04" + self.data


def as_in_4(message: str | bytes) -> str | bytes:
    """Return a packet of protocol 3 in the form of protocol 4, malformed or not."""
    if isinstance(message, bytes):
        return message[1:] if message[:1] == b"\x04" else ""
    if message[:1] == "b":
        return "b" + message[2:] if message[1:2] == "4" else ""
    return message


# Payloads ("Payload"): packets in the body of a request or answer

MAX_DIGITS = 10
"""Digits of a packet's length; longer numbers aren't read."""
_LENGTH = re.compile(rb"((?:[0-9]\0){1,%d}):\0" % MAX_DIGITS)  # in UTF-16
_OCTETS_HEAD = re.compile(rb"([\0\1])([\0-\x09]{1,%d})\xff" % MAX_DIGITS)
_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")


def text(packet: Packet) -> str:
    """Return `<length>:<packet>`. The length is in UTF-16 code units, as JavaScript counts."""
    encoded: str = packet.encode(b64=True)
    length = len(encoded) if encoded.isascii() else len(encoded.encode("utf-16-le")) // 2
    return f"{length}:{encoded}"


def from_text(body: bytes) -> list[str | bytes]:
    """Return the packets in a text body, without empty ones.

    Raises:
        MalformedPacket: the body is empty or isn't UTF-8, or a length is missing, goes beyond the
            end, or ends within a character.
    """
    found: list[str | bytes] = []
    try:
        units = body.decode().encode("utf-16-le")
        at = 0
        while at < len(units) or not units:
            length = _head(_LENGTH, units, at)
            at = length.end() + 2 * int(length[1].replace(b"\0", b""))
            found.append(_whole(units, length.end(), at).decode("utf-16-le"))
    except UnicodeDecodeError:
        raise MalformedPacket("no text") from None
    return [packet for packet in found if packet]


def octets(packet: Packet) -> bytes:
    """Return a packet in binary form, which all packets of an answer have if one is binary.

    It is 0 (text) or 1 (binary), the length in bytes with a byte for each digit, 255, the packet.
    """
    encoded = packet.encode()
    data: bytes = encoded if packet.binary else encoded.encode()
    return bytes([packet.binary, *map(int, str(len(data))), 255]) + data


def from_octets(body: bytes) -> list[str | bytes]:
    """Return the packets in a binary body.

    Raises:
        MalformedPacket: the body is empty, a length is missing or goes beyond the end, or a text
            isn't UTF-8.
    """
    found: list[str | bytes] = []
    at = 0
    while at < len(body) or not body:
        head = _head(_OCTETS_HEAD, body, at)
        at = head.end() + int(head[2].translate(_DIGITS))
        data = _whole(body, head.end(), at)
        try:
            found.append(data if head[1] == b"\1" else data.decode())
        except UnicodeDecodeError:
            raise MalformedPacket("no UTF-8") from None
    return found


def _head(pattern: re.Pattern[bytes], body: bytes, at: int) -> re.Match[bytes]:
    head = pattern.match(body, at)
    if head is None:
        raise MalformedPacket("no length of a packet")
    return head


def _whole(body: bytes, start: int, end: int) -> bytes:
    if end > len(body):
        raise MalformedPacket("a packet that ends early")
    return body[start:end]
