"""Engine.IO 3 and Socket.IO 4: what clients of socket.io 2.x speak, and all that it differs in.

Sections are those of the protocols' documents (socketio/engine.io-protocol, v3;
socketio/socket.io-protocol, v4). Where they are silent, engine.io 6 and socket.io 4 with
`allowEIO3` decide.

What isn't said here is as in Engine.IO 4: requests, errors, the open packet, the upgrade, closing,
text over a WebSocket. So an event that a room hears is the same frame for both.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl

from engineio import packet as engineio_packet
from engineio.packet import Packet

from chatapp.transport.eio.heartbeat import Heartbeat
from chatapp.transport.eio.packet import JSON
from chatapp.transport.eio.session import END, Connection
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.websocket.protocol import frame

if TYPE_CHECKING:
    from chatapp.transport.eio.server import EngineServer


# The session


class ClientPings(Heartbeat):
    """The client pings and the server answers ("ping"); it ends where none has come for the
    interval and timeout together, or where over polling it hasn't polled for as long.

    An upgrade changes nothing here; the reference server stops counting until the next ping.
    """

    __slots__ = ("_last",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.renew()
        self._wait(self._patience)

    @property
    def _patience(self) -> float:
        server = self._connection.server
        seconds: float = server.ping_interval + server.ping_timeout
        return seconds

    def renew(self) -> None:
        """A ping has come."""
        self._last = self._connection.server.clock.now()

    def _wait(self, seconds: float) -> None:
        self._timer = self._connection.server.clock.call_later(seconds, self._beat)

    def _beat(self) -> None:
        connection, server = self._connection, self._connection.server
        since = self._last
        if not connection.channel and not connection.news:
            since = min(since, connection.last_poll)
        left = since + self._patience - server.clock.now()
        if left > 0:
            self._wait(math.ceil(left * 10) / 10)  # as the clock wants few different numbers
        else:
            server.spawn(connection.close, False, False, server.reason.PING_TIMEOUT)


PONG = Packet(engineio_packet.PONG)
"""One for all: who pings without end and never polls, has nothing kept for it but its place."""


class Session(Connection):
    """A session of protocol 3, whose client is in the default namespace unasked."""

    __slots__ = ("_base64", "_names")
    protocol: ClassVar[str] = "3"
    heartbeat: ClassVar[type[Heartbeat]] = ClientPings
    _heartbeat: ClientPings

    def __init__(self, server: EngineServer, sid: str, address: str) -> None:
        super().__init__(server, sid, address)
        self._base64 = False  # whether its client can't take binary ("b64")
        self._names: set[str] = set()

    def opened(self, query: dict[str, str]) -> None:
        """Take the CONNECT that its client never sends ("CONNECT")."""
        self._base64 = bool(query.get("b64"))
        super().received("40")

    def sid_in(self, namespace: str) -> str:
        """As its client computes it, too; another where it has been there before, as something may
        still be at work for who it was."""
        name = self.sid if namespace == "/" else f"{namespace}#{self.sid}"
        if name in self._names:
            return super().sid_in(namespace)
        self._names.add(name)
        return name

    def received(self, message: str | bytes) -> None:
        kind = message[:1]
        if kind == "2":
            self._heartbeat.renew()
            self.send(PONG)
        elif kind == "3":  # only the client pings
            self._let_wait(END)
        else:
            super().received(as_in_4(message))

    def send(self, packet: Packet) -> None:
        older = Binary(packet.data, self._base64) if packet.binary else as_in_3(packet)
        super().send(older)

    def payload(self, packets: list[Packet]) -> tuple[str, bytes]:
        if any(packet.binary for packet in packets) and not self._base64:
            return "application/octet-stream", b"".join(map(octets, packets))
        return "text/plain; charset=UTF-8", ("".join(map(text, packets)) or "0:").encode()

    def packets(self, body: bytes, binary: bool) -> list[str | bytes]:
        return from_octets(body) if binary else from_text(body)


# Packets of Engine.IO ("Packet")


class Binary(Packet):  # type: ignore[misc]
    """A binary message: the byte 4 and the data, or `b4` and base64 where a client wants that."""

    def __init__(self, data: bytes, base64: bool) -> None:
        super().__init__(engineio_packet.MESSAGE, data)
        self.frame = frame(self.encode(base64))

    def encode(self, b64: bool = False) -> str | bytes:
        return "b4" + b64encode(self.data).decode() if b64 else b"\x04" + self.data


def as_in_4(message: str | bytes) -> str | bytes:
    """A packet of protocol 3 as protocol 4 has it; what is malformed stays so."""
    if isinstance(message, bytes):
        return message[1:] if message[:1] == b"\x04" else ""
    if message[:1] == "b":
        return "b" + message[2:] if message[1:2] == "4" else ""
    return without_query(message) if message[:1] == "4" else message


# Payloads ("Payload"): packets in the body of a request or answer

MAX_DIGITS = 10
"""Of a packet's length: longer numbers aren't read."""
_LENGTH = re.compile(rb"((?:[0-9]\0){1,%d}):\0" % MAX_DIGITS)  # in UTF-16
_OCTETS_HEAD = re.compile(rb"([\0\1])([\0-\x09]{1,%d})\xff" % MAX_DIGITS)
_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")


def text(packet: Packet) -> str:
    """`<length>:<packet>`, the length in UTF-16 code units, as those are what JavaScript counts."""
    encoded: str = packet.encode(b64=True)
    length = len(encoded) if encoded.isascii() else len(encoded.encode("utf-16-le")) // 2
    return f"{length}:{encoded}"


def from_text(body: bytes) -> list[str | bytes]:
    """The packets of a body that is text; what is empty is none.

    Raises:
        MalformedPacket: the body is empty or isn't UTF-8, or what should be a length is none, goes
            beyond the end, or ends within a character.
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
    """0 (text) or 1 (binary), the length in bytes, a byte for each of its digits, 255, the packet.

    The form of all packets of an answer, where one is binary.
    """
    encoded = packet.encode()
    data: bytes = encoded if packet.binary else encoded.encode()
    return bytes([packet.binary, *map(int, str(len(data))), 255]) + data


def from_octets(body: bytes) -> list[str | bytes]:
    """The packets of a body that is binary.

    Raises:
        MalformedPacket: the body is empty, what should be a length is none or goes beyond the end,
            or a text isn't UTF-8.
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


# Socket.IO

_QUERY = re.compile(r"4([0-6](?:[0-9]+-)?)(/[^,?]*)\?([^,]*),?")
_ANSWER = re.compile(r"4([04])(/[^,]*,)?(?=[{])")
UNKNOWN_NAMESPACE = {"message": "Invalid namespace"}


def without_query(message: str) -> str:
    """A message of protocol 4 as protocol 5 has it: a namespace's query is what a CONNECT brings
    as its data ("CONNECT")."""
    named = _QUERY.match(message)
    if named is None:
        return message
    kind, namespace, query = named.groups()
    auth = JSON.dumps(dict(parse_qsl(query, keep_blank_values=True))) if kind == "0" else ""
    return f"4{kind}{namespace},{auth}{message[named.end() :]}"


def as_in_3(packet: Packet) -> Packet:
    """A packet as the older client takes it: CONNECT brings no data, as some take it for a broken
    packet; ERROR has what is CONNECT_ERROR's data, or else its message, by itself ("ERROR").

    Of an unknown namespace the reference server tells in today's form.
    """
    encoded = packet.encode()
    answer = _ANSWER.match(encoded)
    if answer is None:
        return packet
    kind, namespace = answer[1], answer[2] or ""
    told = ""
    if kind == "4":
        refusal = JSON.loads(encoded[answer.end() :])
        raw = refusal.get("data") or refusal.get("message")
        told = JSON.dumps(refusal if refusal == UNKNOWN_NAMESPACE else raw)
    return Packet(engineio_packet.MESSAGE, f"{kind}{namespace}{told}")
