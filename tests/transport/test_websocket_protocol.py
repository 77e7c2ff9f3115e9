"""Our framing agrees with that of websockets, for any frames in any parts (RFC 6455)."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from chatapp.transport.websocket.protocol import WebSocket
from chatapp.transport.websocket.protocol import frame as from_server

LIMIT = 200


class Oracle(Protocol):
    """The server of websockets; a close may come between fragments (section 5.4)."""

    def __init__(self) -> None:
        super().__init__(Side.SERVER, state=OPEN, max_size=LIMIT)
        self.messages: list[str | bytes] = []
        self.sent = b""
        self.body = b""
        self.text = False

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)
        if frame.opcode <= Opcode.BINARY:
            self.add(frame)

    def add(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self.text = frame.opcode is Opcode.TEXT
            self.body = b""
        self.body += bytes(frame.data)
        if frame.fin:
            self.messages.append(self.body.decode() if self.text else self.body)

    def receive(self, data: bytes) -> None:
        if self.state is OPEN:
            self.receive_data(data)
            self.sent += b"".join(self.data_to_send())


def answers(sent: bytes) -> list[tuple[int, bytes]]:
    """Return a server's control frames, with a close's code alone, as its reason is free."""
    found = []
    while sent:
        opcode, size = sent[0] & 15, sent[1]
        body, sent = sent[2 : 2 + size], sent[2 + size :]
        found.append((opcode, body[:2] if opcode == CLOSE else body))
    return found


def outcome(messages: list[str | bytes], sent: bytes) -> tuple:
    """Return messages and answers, where 1009 counts as 1002: a frame may break both rules.

    tests/servers has the codes.
    """
    big, wrong = struct.pack("!H", 1009), struct.pack("!H", 1002)
    found = [(CLOSE, wrong) if answer == (CLOSE, big) else answer for answer in answers(sent)]
    return messages, found


def read(websocket: WebSocket, data: bytes) -> list[str | bytes]:
    """Return the messages that `data` completes."""
    websocket.receive(data)
    messages = []
    while websocket.more:
        if (message := websocket.next_message()) is not None:
            messages.append(message)
    return messages


texts = st.text(max_size=150).map(str.encode)
bodies = st.one_of(texts, st.binary(max_size=LIMIT + 60))
opcodes = st.sampled_from([TEXT, TEXT, BINARY, CONT, CONT, PING, PONG, CLOSE])
closes = st.builds(lambda code, words: struct.pack("!H", code) + words, st.integers(0, 5100), texts)
frames = st.one_of(
    st.builds(frame, texts, st.just(TEXT)),
    st.builds(frame, bodies, opcodes, fin=st.booleans()),
    st.builds(frame, closes, st.just(CLOSE)),
    st.builds(
        frame,
        bodies,
        st.integers(0, 15),
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 0, 1, 2, 4]),
        mask=st.sampled_from([True, True, True, False]),
    ),
    st.binary(max_size=20),
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 600), max_size=8))
def test_decoder_agrees_with_websockets(sent, cuts):
    """Sections 5 to 8. The last bytes complete any frame, as we check a header at once."""
    stream = b"".join(sent) + bytes(2 * LIMIT)
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    ours, oracle = WebSocket(LIMIT), Oracle()
    messages, answered, at = [], b"", 0
    for end in ends:
        if data := stream[at:end]:
            messages += read(ours, data)
            answered += ours.to_send()
            oracle.receive(data)
        at = end
    assert outcome(messages, answered) == outcome(oracle.messages, oracle.sent)
    assert ours.ended == (oracle.state is not OPEN)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("kind", [str, bytes])
def test_encoder_agrees_with_websockets(size, kind):
    """Section 5.2."""
    message = "x" * size if kind is str else b"x" * size
    body = b"x" * size
    opcode = Opcode.TEXT if kind is str else Opcode.BINARY
    assert from_server(message) == Frame(opcode, body).serialize(mask=False)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_frame_over_the_limit_is_refused_by_its_header(opcode):
    websocket = WebSocket(LIMIT)
    read(websocket, frame(b"x" * (LIMIT + 1), opcode)[:4])
    assert websocket.ended
    assert answers(websocket.to_send()) == [(CLOSE, struct.pack("!H", 1009))]


def test_end_of_stream_ends_it_without_a_close_frame():
    websocket = WebSocket(LIMIT)
    read(websocket, frame(b"hello")[:3])
    assert read(websocket, b"") == []
    assert (websocket.ended, websocket.to_send()) == (True, b"")


def test_memory_does_not_grow_with_the_number_of_fragments():
    """Section 5.4: there may be any number of fragments, also empty ones."""
    websocket = WebSocket(LIMIT)
    read(websocket, frame(b"", fin=False))
    stream = frame(b"", CONT, fin=False) * 1000
    tracemalloc.start()
    try:
        for _ in range(50):
            read(websocket, stream)
        assert tracemalloc.get_traced_memory()[0] < 10_000
    finally:
        tracemalloc.stop()
    assert read(websocket, frame(b"end", CONT)) == ["end"]


def test_no_buffer_is_kept_between_frames():
    websocket = WebSocket(LIMIT)
    for byte in frame(b"hello") + frame(b"")[:-1]:
        read(websocket, bytes([byte]))
    assert len(websocket._data) == 5
    read(websocket, frame(b"")[-1:])
    assert websocket._data == b""


@pytest.mark.parametrize("kind", [PING, PONG, CONT])
def test_frames_without_a_message_are_read_in_steps(kind):
    websocket = WebSocket(LIMIT)
    read(websocket, frame(b"", fin=False))
    websocket.receive(frame(b"", kind, fin=kind != CONT) * 40)
    steps = 0
    while websocket.more:
        assert websocket.next_message() is None
        steps += 1
    assert (steps, websocket.frames) == (3, 41)
