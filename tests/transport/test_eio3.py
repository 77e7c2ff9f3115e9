"""Engine.IO 3 without sockets: payloads, packets, and the client's pings.

Sections are those of the protocol's document (socketio/engine.io-protocol, v3).
"""

from __future__ import annotations

from collections import deque

import pytest
from engineio import packet as engineio_packet
from engineio.packet import Packet
from hypothesis import example, given
from hypothesis import strategies as st
from support.clock import FakeTime

from chatapp.transport.eio import eio3
from chatapp.transport.eio.sender import encoded_frame
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.websocket.protocol import frame

INTERVAL, TIMEOUT = 20, 10
PACKETS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("0:😀é\uffff"))
BYTES = st.binary(max_size=30)


def units(text: str) -> list[str]:
    """Return the UTF-16 code units of a string, which are JavaScript's characters."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(data), 2)]


def decoded_by_character(body: str) -> list[str] | None:
    """Decode a text payload character by character; None if it is malformed."""
    found, digits, rest = [], "", deque(units(body))
    if not rest:
        return None
    while rest:
        unit = rest.popleft()
        if unit != ":":
            digits += unit
            continue
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
            return None
        size, digits = int(digits), ""
        if size > len(rest):
            return None
        taken = "".join(rest.popleft() for _ in range(size))
        data = taken.encode("utf-16-le", "surrogatepass")
        try:
            packet = data.decode("utf-16-le")
        except UnicodeDecodeError:
            return None
        found += [packet] * bool(packet)
    return None if digits else found


def decoded_by_byte(body: bytes) -> list[str | bytes] | None:
    """Decode a binary payload byte by byte; None if it is malformed."""
    found: list[str | bytes] = []
    rest = list(body)
    while rest:
        kind, digits = rest.pop(0), ""
        while rest and rest[0] < 10:
            digits += str(rest.pop(0))
        if kind > 1 or not 1 <= len(digits) <= 10 or not rest or rest.pop(0) != 255:
            return None
        if len(data := bytes(rest[: int(digits)])) < int(digits):
            return None
        del rest[: int(digits)]
        try:
            found.append(data if kind else data.decode())
        except UnicodeDecodeError:
            return None
    return found or None


def decoded(body: bytes) -> list[str | bytes] | None:
    try:
        return eio3.from_text(body)
    except MalformedPacket:
        return None


def message(data: str | bytes) -> Packet:
    if isinstance(data, bytes):
        return eio3.Binary(data, base64=False)
    return Packet(engineio_packet.MESSAGE, data)


# Payload


@pytest.mark.parametrize(
    ("packet", "carried"),
    [
        ("hello", "6:4hello"),
        ("", "1:4"),
        ("é", "2:4é"),
        ("😀", "3:4😀"),
        ("中文😀", "5:4中文😀"),
        (b"\1\2\3\4", "10:b4AQIDBA=="),
    ],
)
def test_text_form_of_a_packet(packet, carried):
    """Payload: `<length>:<packet>`; EIO3's length counts UTF-16 code units, the type included."""
    assert eio3.text(message(packet)) == carried


@given(st.lists(PACKETS.filter(bool)).filter(bool))
def test_text_payload_decodes_to_what_was_encoded(packets):
    body = "".join(f"{len(units(packet))}:{packet}" for packet in packets)
    assert decoded(body.encode()) == packets
    assert "".join(eio3.text(message(packet)) for packet in packets) == "".join(
        f"{len(units(packet)) + 1}:4{packet}" for packet in packets
    )


@given(st.text("012:9x-+ e😀é") | PACKETS)
@example("")
@example("0:")
@example("0:0:1:2")
@example("1:😀")
@example("3:😀4")
@example("2:😀1:x")
@example("-1:x")
@example("+1:2")
@example("1e0:2")
@example("0x1:2")
@example(" 1:2")
@example("1 :2")
@example("1.0:2")
@example(":2")
@example("1:22")
@example("1:2" + "1")
@example("00000000001:2")
@example("0000000001:2")
@example("٣:426")
@example("9" * 5000 + ":4")
@example("9999999999:4")
def test_text_decoder_agrees_with_a_decoder_by_character(body):
    assert decoded(body.encode()) == decoded_by_character(body)


@pytest.mark.parametrize("body", [b"\xff", b"1:\xc3", b"3:\xed\xa0\x80", b"2:4\xff"])
def test_text_that_is_not_utf8_is_malformed(body):
    assert decoded(body) is None


def test_largest_text_payload_is_decoded():
    body = b"1:2" * 21845
    assert eio3.from_text(body) == ["2"] * 21845


@pytest.mark.parametrize(
    ("packet", "carried"),
    [
        ("hello", b"\0\6\xff4hello"),
        ("é", b"\0\3\xff4\xc3\xa9"),
        ("x" * 110, b"\0\1\1\1\xff4" + b"x" * 110),
        (b"\1\2\3\4", b"\1\5\xff\4\1\2\3\4"),
        (b"", b"\1\1\xff\4"),
    ],
)
def test_binary_form_of_a_packet(packet, carried):
    """Payload: 0 or 1, the digits of the length in bytes, 255, the packet."""
    assert eio3.octets(message(packet)) == carried


@given(st.lists(PACKETS | BYTES).filter(bool))
def test_binary_payload_decodes_to_what_was_encoded(packets):
    body = b"".join(eio3.octets(message(packet)) for packet in packets)
    expected = [b"\4" + p if isinstance(p, bytes) else "4" + p for p in packets]
    assert eio3.from_octets(body) == expected


OCTETS = {
    "nothing": b"",
    "no length": b"\0\xff4",
    "an unfinished length": b"\0\1\1",
    "a digit over 9": b"\0\x0a\xff4",
    "digits in ASCII": b"\x001\xff4",
    "neither text nor binary": b"\2\1\xff4",
    "a length beyond the end": b"\0\2\xff4",
    "an enormous length": b"\0" + b"\x09" * 10 + b"\xff4",
    "a length of too many digits": b"\0" + b"\0" * 10 + b"\1\xff4",
    "one of 300 digits": b"\0" + b"\x09" * 300 + b"\xff4",
    "a length that cuts a character": b"\0\2\xff4\xc3\xa9",
    "text that isn't UTF-8": b"\0\2\xff4\xff",
    "trailing digits": b"\0\1\xff2\0\1",
    "a text form": b"1:2",
}


@pytest.mark.parametrize("body", OCTETS)
def test_broken_binary_payload_is_malformed(body):
    with pytest.raises(MalformedPacket):
        eio3.from_octets(OCTETS[body])


@given(st.lists(st.sampled_from([0, 1, 2, 9, 10, 255, 52, 0xC3, 0xA9])).map(bytes) | st.binary())
def test_binary_decoder_agrees_with_a_decoder_by_byte(body):
    try:
        found = eio3.from_octets(body)
    except MalformedPacket:
        found = None
    assert found == decoded_by_byte(body)


# Packet


@pytest.mark.parametrize(
    ("packet", "now"),
    [
        ("42[]", "42[]"),
        ("1", "1"),
        ("", ""),
        ("b4AAE=", "bAAE="),
        ("b4", "b"),
        ("b", ""),
        ("bAAE=", ""),
        ("b2AAE=", ""),
        (b"\4\0\1", b"\0\1"),
        (b"\4", b""),
        (b"", ""),
        (b"\0\1", ""),
        (b"4", ""),
        (b"\2", ""),
    ],
)
def test_packet_in_the_form_of_protocol_4(packet, now):
    """Packet: binary begins with its type, too."""
    assert eio3.as_in_4(packet) == now


def test_frame_of_a_binary_packet():
    assert encoded_frame(eio3.Binary(b"\1\2", base64=False)) == frame(b"\4\1\2")
    assert encoded_frame(eio3.Binary(b"\1\2", base64=True)) == frame("b4AQI=")


# Heartbeat


class Client:
    """A client of protocol 3 with a schedule, over a WebSocket unless it `polls`."""

    def __init__(self, polls: bool = False) -> None:
        self.time = FakeTime()
        self.ended: list[float] = []
        runtime = self.time.runtime(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        self.session = eio3.EIO3Session(runtime, self, "sid", "127.0.0.1")
        if not polls:
            self.session.attach(WebSocketTransport())

    def on_closed(self, session: eio3.EIO3Session, keep_for_final_poll: bool) -> None:
        self.ended.append(self.time.now)

    def at(self, seconds: float, call) -> None:
        self.time.clock.call_later(seconds, call)

    def pings(self, at: float) -> None:
        self.at(at, lambda: self.session.received("2"))

    def polls(self, at: float) -> None:
        self.at(at, self._poll)

    def _poll(self) -> None:
        self.session.take()
        self.session.polls.last_poll = self.time.now

    def ends(self) -> float:
        self.time.run()
        (end,) = self.ended
        return end


class WebSocketTransport:
    outbox = receiver = None

    def write(self, data: bytes) -> None: ...
    def close(self, code: int) -> None: ...


def test_client_that_never_pings_times_out():
    assert Client().ends() == pytest.approx(INTERVAL + TIMEOUT)


def test_ping_renews_the_deadline():
    client = Client()
    for at in (20, 45, 74.5):
        client.pings(at)
    assert client.ends() == pytest.approx(74.5 + INTERVAL + TIMEOUT, abs=0.11)


def test_upgrade_keeps_the_deadline():
    """The reference server stops its clock until the next ping."""
    client = Client(polls=True)
    client.polls(1)
    client.at(2, lambda: client.session.attach(WebSocketTransport()))
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.11)


def test_client_that_pings_but_never_polls_times_out():
    """docs/wire.md, Bounds: a client must poll within the interval and timeout together."""
    client = Client(polls=True)
    for at in range(200):
        client.pings(at)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.11)


def test_client_that_polls_but_never_pings_times_out():
    client = Client(polls=True)
    for at in range(200):
        client.polls(at)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.11)


def test_client_that_pings_and_polls_stays():
    client = Client(polls=True)
    for at in range(1, 120):
        client.polls(at)
        client.pings(at + 0.5)
    assert client.ends() > 120


def test_unpolled_pongs_are_one_object():
    client = Client(polls=True)
    for _ in range(1000):
        client.session.received("2")
    assert set(map(id, client.session.polls.packets)) == {id(eio3.PONG)}
