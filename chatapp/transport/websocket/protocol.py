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
"""What a close frame may say (section 7.4)."""

FIN, RESERVED, OPCODE = 0x80, 0x70, 0x0F
MASKED, LENGTH = 0x80, 0x7F
CONTROL_BYTES = 125
"""The most that a control frame carries (section 5.5)."""
FRAMES_AT_ONCE = 16
"""Frames that are read for one message before others get a turn: there may be any number of control
frames and of empty fragments (section 5.4)."""


class WebSocketError(ValueError):
    """What came in breaks the protocol; `code` is what it is closed with (section 7.4.1)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class WebSocket:
    """The server's side of one open WebSocket. Not compressed; every rule of framing is enforced.

    `max_bytes` bounds a message, its fragments together: a security limit, applied when a frame's
    header is read. What breaks the protocol closes it with 1002, 1007 or 1009.
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
        self._data: bytes | bytearray = b""  # what has come and isn't read
        self._at = 0  # where in it the next frame begins
        self._fragments: _Fragments | None = None  # a message that hasn't come as a whole
        self._answers = b""
        self.ended = False
        """Whether nothing more will come in: closed by either side, or broken."""
        self.more = False
        """Whether `next_message` has something to look at."""
        self.frames = 0
        """How many frames have been read so far."""

    def receive(self, received: bytes) -> None:
        """Take bytes in for `next_message`; b"" is the end of the stream, and ends at once."""
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
        """Return the next message that has come whole, None if there is none among the next
        `FRAMES_AT_ONCE` frames; `more` says whether to ask again.

        Pings and a close are answered by what `to_send` gives next.
        """
        try:
            for _ in range(FRAMES_AT_ONCE):
                frame = self._read(self._data, self._at)
                if frame is None:
                    self._keep_the_rest()
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

    def _keep_the_rest(self) -> None:
        """A frame hasn't come as a whole: hold no more than what there is of it."""
        if self._at:
            self._data, self._at = bytearray(self._data[self._at :]), 0
        self.more = False

    def _end(self) -> None:
        self.ended = True
        self.more = False
        self._data, self._at = b"", 0

    def close(self, code: int) -> None:
        """Begin the closing handshake (section 7.1.2): `to_send` gives the close frame."""
        if not self.ended:
            self._answers += encoded(CLOSE, b"" if code == NO_STATUS else struct.pack("!H", code))
            self._end()

    def to_send(self) -> bytes:
        """What is to be written now, in answer to what was received or closed."""
        answers, self._answers = self._answers, b""
        return answers

    def _read(self, data: bytes | bytearray, at: int) -> tuple[int, int, int, bytes] | None:
        """The end, FIN bit, opcode and body of the frame that begins `at`, if it's there whole.

        Section 5.2. What its header alone says is judged before its body has come.
        """
        if len(data) < at + 2:
            return None
        first, second = data[at], data[at + 1]
        fin, opcode, length = first & FIN, first & OPCODE, second & LENGTH
        if first & RESERVED or not second & MASKED:
            raise WebSocketError(PROTOCOL_ERROR)
        self._judge(fin, opcode, length)
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

    def _judge(self, fin: int, opcode: int, length: int) -> None:
        """Whether such a frame may come now (sections 5.4 and 5.5)."""
        if opcode >= CLOSE:
            allowed = opcode <= PONG and fin and length <= CONTROL_BYTES
        elif self._fragments:
            allowed = opcode == CONT
        else:
            allowed = opcode in (TEXT, BINARY)
        if not allowed:
            raise WebSocketError(PROTOCOL_ERROR)

    def _take(self, fin: int, opcode: int, body: bytes) -> str | bytes | None:
        """The message that a frame completes, if it does."""
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
    """What has come of a message in fragments (section 5.4)."""

    def __init__(self, opcode: int) -> None:
        self.opcode = opcode
        self.body = bytearray()  # one, as there may be any number of small or empty ones


def unmasked(body: bytes | bytearray, key: bytes | bytearray) -> bytes:
    """`body` without its mask (section 5.3), all at once as two long numbers."""
    size = len(body)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(body, "little") ^ int.from_bytes(mask, "little")).to_bytes(
        size, "little"
    )


def as_text(body: bytes) -> str:
    """`body` as the text that it should be (section 8.1)."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise WebSocketError(INVALID_DATA) from None


def close_code(body: bytes) -> int:
    """The code that a close frame brings, NO_STATUS where it brings none (sections 5.5.1, 7.4)."""
    if not body:
        return NO_STATUS
    code = int.from_bytes(body[:2], "big")
    as_text(body[2:])
    if len(body) == 1 or not any(code in codes for codes in CLOSE_CODES):
        raise WebSocketError(PROTOCOL_ERROR)
    return code


def encoded(opcode: int, body: bytes) -> bytes:
    """A frame from the server: whole and not masked (section 5.2)."""
    size = len(body)
    if size <= CONTROL_BYTES:
        return bytes((FIN | opcode, size)) + body
    if size < 65536:
        return struct.pack("!BBH", FIN | opcode, 126, size) + body
    return struct.pack("!BBQ", FIN | opcode, 127, size) + body


def frame(message: str | bytes) -> bytes:
    """`message` as one frame."""
    if isinstance(message, str):
        return encoded(TEXT, message.encode())
    return encoded(BINARY, message)
