"""The WebSocket protocol (RFC 6455) without I/O: bytes in, messages and bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Protocol, Side
from websockets.server import ServerProtocol

NORMAL = 1000
GOING_AWAY = 1001
INVALID_DATA = 1007
HANDSHAKE_HEADERS = ("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class Framing(Protocol):
    """The rules of framing, where a close may come between a message's fragments (section 5.4)."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class WebSocket:
    """The server's side of one open WebSocket. Not compressed; every rule of framing is enforced.

    `max_bytes` bounds a message, its fragments together: a security limit, applied when a frame's
    header is read. What breaks the protocol closes it with 1002, 1007 or 1009.
    """

    __slots__ = ("_body", "_protocol", "_text", "ended")

    def __init__(self, max_bytes: int) -> None:
        self._protocol = Framing(Side.SERVER, state=OPEN, max_size=max_bytes)
        self._body = b""  # what has come of a message in fragments
        self._text = False
        self.ended = False
        """Whether nothing more will come in: closed by either side, or broken."""

    def receive(self, received: bytes) -> list[str | bytes]:
        """The messages that `received` completes; b"" is the end of the stream.

        Pings and a close are answered by what `to_send` gives next.
        """
        if self.ended:
            return []
        if received:
            self._protocol.receive_data(received)
        else:
            self._protocol.receive_eof()
        messages = []
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in DATA and not self.ended:
                message = self._add(frame)
                if message is not None:
                    messages.append(message)
        self.ended = self.ended or self._protocol.state is not OPEN
        return messages

    def close(self, code: int) -> None:
        """Begin the closing handshake (section 7.1.2): `to_send` gives the close frame."""
        self._protocol.fail(code)
        self.ended = True

    def to_send(self) -> bytes:
        """What is to be written now, in answer to what was received or closed."""
        return b"".join(self._protocol.data_to_send())

    def _add(self, frame: Frame) -> str | bytes | None:
        """The message that `frame` completes, if it does (section 5.4)."""
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        body = self._body + frame.data if self._body else bytes(frame.data)
        self._body = b"" if frame.fin else body
        if not frame.fin:
            return None
        if not self._text:
            return body
        try:
            return body.decode()
        except UnicodeDecodeError:
            self.close(INVALID_DATA)
            return None


def frame(message: str | bytes) -> bytes:
    """`message` as one frame from the server, unmasked (section 5.2)."""
    if isinstance(message, str):
        return Frame(Opcode.TEXT, message.encode()).serialize(mask=False)
    return Frame(Opcode.BINARY, message).serialize(mask=False)


def accept(environ: Mapping[str, Any]) -> Response:
    """The answer to a request for a WebSocket (section 4.2): a 101, or what is wrong."""
    headers = Headers()
    for name in HANDSHAKE_HEADERS:
        value = environ.get("HTTP_" + name.upper().replace("-", "_"), "")
        if value and value.isprintable():
            headers[name] = value
    protocol = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    method = environ["REQUEST_METHOD"]
    return ServerProtocol().accept(Request(environ["PATH_INFO"], headers, method, protocol))
