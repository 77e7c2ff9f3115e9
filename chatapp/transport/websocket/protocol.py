"""The WebSocket protocol (RFC 6455) without I/O: bytes in, messages and bytes out."""

from __future__ import annotations

import struct

CONT, TEXT, BINARY = 0x0, 0x1, 0x2
CLOSE, PING, PONG = 0x8, 0x9, 0xA

NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
INVALID_DATA = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009

CLOSE_CODES = range(1000, 1004), range(1007, 1015), range(3000, 5000)
"""The codes that a close frame may have (section 7.4)."""

FIN, RESERVED, OPCODE = 0x80, 0x70, 0x0F
MASKED, LENGTH = 0x80, 0x7F
CONTROL_BYTES = 125
"""Bytes that a control frame may carry (section 5.5)."""
FRAMES_AT_ONCE = 16
"""Frames that are read for one message before other connections are served.

There may be any number of control frames and of empty fragments (section 5.4).
"""


class WebSocketError(ValueError):
    """A violation of the protocol; `code` is for the close frame (section 7.4.1)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class WebSocket:
    """The server's side of one open WebSocket, which enforces every rule of framing.

    `max_bytes` bounds a message, with all its fragments. It is a security limit, and is applied
    when a frame's header is read. A violation of the protocol closes the WebSocket with 1002, 1007
    or 1009. There is no compression.
    """

    __slots__ = (
        "_answers",
        "_at",
        "_data",
        "_fragments",
        "_max_bytes",
        "ended",
        "frames",
        "more",
    )

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data: bytes | bytearray = b""  # received and not parsed
        self._at = 0  # where the next frame begins in it
        self._fragments: _Fragments | None = None  # of a message that isn't complete
        self._answers = b""
        self.ended = False
        """Whether nothing more will come in: either side has closed, or the client broke a rule."""
        self.more = False
        """Whether `next_message` has data to parse."""
        self.frames = 0
        """The number of frames read so far."""

    def receive(self, received: bytes) -> None:
        """Take received bytes for `next_message`; b"" ends the WebSocket at once."""
        if not received or self.ended:
            self._end()
            return
        if not self._data:
            self._data = received
        else:
            if not isinstance(self._data, bytearray):
                self._data = bytearray(self._data)
            del self._data[: self._at]
            self._at = 0
            self._data += received
        self.more = True

    def next_message(self) -> str | bytes | None:
        """Return the next complete message, or None.

        None means that there is none among the next `FRAMES_AT_ONCE` frames; if `more` is true, ask
        again. Afterwards `to_send` has the answers to pings and to a close.
        """
        try:
            for _ in range(FRAMES_AT_ONCE):
                frame = self._read(self._data, self._at)
                if frame is None:
                    self._keep_rest()
                    return None
                self._at, fin, opcode, body = frame
                self.frames += 1
                message = self._take(fin, opcode, body)
                if self._at == len(self._data):
                    self._data, self._at, self.more = b"", 0, False
                    return message
                if message is not None:
                    return message
        except WebSocketError as error:
            self.close(error.code)
        return None

    def _keep_rest(self) -> None:
        """Keep only the bytes of a frame that isn't complete."""
        if self._at:
            self._data, self._at = bytearray(self._data[self._at :]), 0
        self.more = False

    def _end(self) -> None:
        self.ended = True
        self.more = False
        self._data, self._at = b"", 0

    def close(self, code: int) -> None:
        """Begin the closing handshake (section 7.1.2); `to_send` then has the close frame."""
        if not self.ended:
            self._answers += encoded(CLOSE, b"" if code == NO_STATUS else struct.pack("!H", code))
            self._end()

    def to_send(self) -> bytes:
        """Return the bytes to write now: answers and a close frame."""
        answers, self._answers = self._answers, b""
        return answers

    def _read(self, data: bytes | bytearray, at: int) -> tuple[int, int, int, bytes] | None:
        """Return the end, FIN bit, opcode and body of the frame at `at`, or None (section 5.2).

        None means that the frame isn't complete. Its header is checked before its body has come.
        """
        if len(data) < at + 2:
            return None
        first, second = data[at], data[at + 1]
        fin, opcode, length = first & FIN, first & OPCODE, second & LENGTH
        if first & RESERVED or not second & MASKED:
            raise WebSocketError(PROTOCOL_ERROR)
        self._check(fin, opcode, length)
        at += 2
        if length > CONTROL_BYTES:
            size = 2 if length == CONTROL_BYTES + 1 else 8
            if len(data) < at + size:
                return None
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        so_far = len(self._fragments.body) if self._fragments and opcode < CLOSE else 0
        if length > self._max_bytes - so_far:
            raise WebSocketError(TOO_BIG)
        end = at + 4 + length
        if len(data) < end:
            return None
        return end, fin, opcode, unmasked(data[at + 4 : end], data[at : at + 4])

    def _check(self, fin: int, opcode: int, length: int) -> None:
        """Raise a WebSocketError if such a frame may not come now (sections 5.4 and 5.5)."""
        if opcode >= CLOSE:
            allowed = opcode <= PONG and fin and length <= CONTROL_BYTES
        elif self._fragments:
            allowed = opcode == CONT
        else:
            allowed = opcode in (TEXT, BINARY)
        if not allowed:
            raise WebSocketError(PROTOCOL_ERROR)

    def _take(self, fin: int, opcode: int, body: bytes) -> str | bytes | None:
        """Return the message that a frame completes, or None."""
        if opcode >= CLOSE:
            self._answer(opcode, body)
            return None
        if not fin or self._fragments:
            self._fragments = self._fragments or _Fragments(opcode)
            self._fragments.body += body
            if not fin:
                return None
            opcode, body = self._fragments.opcode, bytes(self._fragments.body)
            self._fragments = None
        return as_text(body) if opcode == TEXT else body

    def _answer(self, opcode: int, body: bytes) -> None:
        """Answer a control frame (section 5.5)."""
        if opcode == PING:
            self._answers += encoded(PONG, body)
        elif opcode == CLOSE:
            self.close(close_code(body))


class _Fragments:
    """The fragments so far of a message that isn't complete (section 5.4)."""

    def __init__(self, opcode: int) -> None:
        self.opcode = opcode
        self.body = bytearray()  # joined, as there may be any number of small or empty ones


def unmasked(body: bytes | bytearray, key: bytes | bytearray) -> bytes:
    """Return `body` without its mask (section 5.3), by one operation on two long integers."""
    size = len(body)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(body, "little") ^ int.from_bytes(mask, "little")).to_bytes(
        size, "little"
    )


def as_text(body: bytes) -> str:
    """Return `body` as text (section 8.1)."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise WebSocketError(INVALID_DATA) from None


def close_code(body: bytes) -> int:
    """Return the code in a close frame, or NO_STATUS if it has none (sections 5.5.1, 7.4)."""
    if not body:
        return NO_STATUS
    code = int.from_bytes(body[:2], "big")
    as_text(body[2:])
    if len(body) == 1 or not any(code in codes for codes in CLOSE_CODES):
        raise WebSocketError(PROTOCOL_ERROR)
    return code


def encoded(opcode: int, body: bytes) -> bytes:
    """Return a frame from the server, which is neither masked nor a fragment (section 5.2)."""
    size = len(body)
    if size <= CONTROL_BYTES:
        return bytes((FIN | opcode, size)) + body
    if size < 65536:
        return struct.pack("!BBH", FIN | opcode, 126, size) + body
    return struct.pack("!BBQ", FIN | opcode, 127, size) + body


def frame(message: str | bytes) -> bytes:
    """Return `message` as one frame."""
    if isinstance(message, str):
        return encoded(TEXT, message.encode())
    return encoded(BINARY, message)
