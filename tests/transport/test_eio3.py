"""Engine.IO 3 and Socket.IO 4 without sockets: payloads, packets, and the client's pings.

Sections are those of the protocols' documents (socketio/engine.io-protocol, v3;
socketio/socket.io-protocol, v4).
"""

from __future__ import annotations

import pytest
from engineio import packet as engineio_packet
from engineio.packet import Packet
from hypothesis import example, given
from hypothesis import strategies as st
from support.clock import FakeTime

from chatapp.transport.eio import eio3
from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import encoded_frame
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.websocket.protocol import frame

INTERVAL, TIMEOUT = 20, 10
PACKETS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("0:😀é\uffff"))
BYTES = st.binary(max_size=30)


def units(text: str) -> list[str]:
    """The code units of a string as JavaScript has it."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(data), 2)]


def read_by_the_letter(body: str) -> list[str] | None:
    """The packets of a text payload, character by character; None: it is none."""
    found, digits, rest = [], "", units(body)
    if not rest:
        return None
    while rest:
        unit, *rest = rest
        if unit != ":":
            digits += unit
            continue
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
            return None
        size, digits = int(digits), ""
        if size > len(rest):
            return None
        data = "".join(rest[:size]).encode("utf-16-le", "surrogatepass")
        try:
            packet = data.decode("utf-16-le")
        except UnicodeDecodeError:
            return None
        found += [packet] * bool(packet)
        rest = rest[size:]
    return None if digits else found


def octets_by_the_letter(body: bytes) -> list[str | bytes] | None:
    """The packets of a binary payload, byte by byte; None: it is none."""
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


def taken(body: bytes) -> list[str | bytes] | None:
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
def test_a_packet_as_text(packet, carried):
    """Payload: `<length>:<packet>`; EIO3's length counts UTF-16 code units, the type included."""
    assert eio3.text(message(packet)) == carried


@given(st.lists(PACKETS.filter(bool)).filter(bool))
def test_text_is_read_as_it_was_written(packets):
    body = "".join(f"{len(units(packet))}:{packet}" for packet in packets)
    assert taken(body.encode()) == packets
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
def test_whatever_comes_is_read_by_the_letter(body):
    assert taken(body.encode()) == read_by_the_letter(body)


@pytest.mark.parametrize("body", [b"\xff", b"1:\xc3", b"3:\xed\xa0\x80", b"2:4\xff"])
def test_text_that_is_not_utf8(body):
    assert taken(body) is None


def test_a_whole_body_is_read_in_no_time():
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
def test_a_packet_as_octets(packet, carried):
    """Payload: 0 or 1, the digits of the length in bytes, 255, the packet."""
    assert eio3.octets(message(packet)) == carried


@given(st.lists(PACKETS | BYTES).filter(bool))
def test_octets_are_read_as_they_were_written(packets):
    body = b"".join(eio3.octets(message(packet)) for packet in packets)
    expected = [b"\4" + p if isinstance(p, bytes) else "4" + p for p in packets]
    assert eio3.from_octets(body) == expected


OCTETS = {
    "nothing": b"",
    "no length": b"\0\xff4",
    "a length that doesn't end": b"\0\1\1",
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
def test_malformed_octets(body):
    with pytest.raises(MalformedPacket):
        eio3.from_octets(OCTETS[body])


@given(st.lists(st.sampled_from([0, 1, 2, 9, 10, 255, 52, 0xC3, 0xA9])).map(bytes) | st.binary())
def test_any_octets_are_read_by_the_letter(body):
    try:
        found = eio3.from_octets(body)
    except MalformedPacket:
        found = None
    assert found == octets_by_the_letter(body)


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
def test_a_packet_in_todays_form(packet, now):
    """Packet: binary begins with its type, too."""
    assert eio3.as_in_4(packet) == now


def test_binary_over_websocket():
    assert encoded_frame(eio3.Binary(b"\1\2", base64=False)) == frame(b"\4\1\2")
    assert encoded_frame(eio3.Binary(b"\1\2", base64=True)) == frame("b4AQI=")


# Socket.IO


@pytest.mark.parametrize(
    ("packet", "now"),
    [
        ("40", "40"),
        ("40/custom", "40/custom"),
        ("40/custom,", "40/custom,"),
        ("40/custom?", "40/custom,{}"),
        ("40/custom?a=1&b=%2C+%C3%A9,", '40/custom,{"a":"1","b":", é"}'),
        ("40/custom?a=1&a=2&c", '40/custom,{"a":"2","c":""}'),
        ("40/custom?a=b?c", '40/custom,{"a":"b?c"}'),
        ("40/custom?a=1,{}", '40/custom,{"a":"1"}{}'),
        ("42/custom?a=1,7[1]", "42/custom,7[1]"),
        ("451-/custom?a=1,[1]", "451-/custom,[1]"),
        ("41/custom?a=1", "41/custom,"),
        ("41/custom?a=1,", "41/custom,"),
        ('42["/custom?a=1,"]', '42["/custom?a=1,"]'),
        ('42/custom,["?,"]', '42/custom,["?,"]'),
    ],
)
def test_a_namespaces_query(packet, now):
    """CONNECT: the query is what later became its data, the path is the name."""
    assert eio3.as_in_4(packet) == now


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ('0{"sid":"x"}', "0"),
        ('0/custom,{"sid":"x"}', "0/custom,"),
        ('4{"message":"no"}', '4"no"'),
        ('4/custom,{"message":"no","data":{"a":[1]}}', '4/custom,{"a":[1]}'),
        ('4/custom,{"message":"no","data":""}', '4/custom,"no"'),
        ('4/custom,{"message":"Invalid namespace"}', '4/custom,{"message":"Invalid namespace"}'),
        ('4"Unable to connect"', '4"Unable to connect"'),
        ('2["a",{}]', '2["a",{}]'),
        ("1", "1"),
        ('3/custom,1[{"sid":"x"}]', '3/custom,1[{"sid":"x"}]'),
    ],
)
def test_what_an_older_client_is_told(now, then):
    """CONNECT has no data; ERROR has raw data, or a string."""
    assert eio3.as_in_3(message(now)).data == then


@pytest.mark.parametrize("data", ['2["newmsg"]', '{"sid":1}', "", None, {"sid": 1}])
@pytest.mark.parametrize("kind", [engineio_packet.OPEN, engineio_packet.MESSAGE])
def test_any_other_is_the_very_packet_that_others_get(kind, data):
    packet = Packet(kind, data)
    assert eio3.as_in_3(packet) is packet


# Heartbeat


class Client:
    """One of protocol 3, at moments that a test says; over a WebSocket unless it `polls`."""

    def __init__(self, polls: bool = False) -> None:
        self.time = FakeTime()
        self.ended: list[float] = []
        server = EngineServer(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        server.clock = self.time.clock
        server.spawn = lambda call, *arguments: call(*arguments)
        server.on("disconnect", lambda sid, reason: self.ended.append(self.time.now))
        self.session = eio3.Session(server, "sid", "127.0.0.1")
        if not polls:
            self.session.attach(Channel())

    def at(self, seconds: float, call) -> None:
        self.time.clock.call_later(seconds, call)

    def pings(self, at: float) -> None:
        self.at(at, lambda: self.session.received("2"))

    def polls(self, at: float) -> None:
        self.at(at, self._poll)

    def _poll(self) -> None:
        self.session.take()
        self.session.last_poll = self.time.now

    def ends(self) -> float:
        self.time.run()
        (end,) = self.ended
        return end


class Channel:
    outbox = receiver = None

    def write(self, data: bytes) -> None: ...
    def close(self, code: int) -> None: ...


def test_one_that_never_pings():
    assert Client().ends() == pytest.approx(INTERVAL + TIMEOUT)


def test_each_ping_renews_the_deadline():
    client = Client()
    for at in (20, 45, 74.5):
        client.pings(at)
    assert client.ends() == pytest.approx(74.5 + INTERVAL + TIMEOUT, abs=0.11)


def test_an_upgrade_does_not_stop_the_clock():
    """As the reference server does, until the next ping."""
    client = Client(polls=True)
    client.polls(1)
    client.at(2, lambda: client.session.attach(Channel()))
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.11)


def test_one_that_pings_but_never_polls():
    """docs/wire.md, Bounds: it hasn't polled for the ping interval and timeout together."""
    client = Client(polls=True)
    for at in range(200):
        client.pings(at)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.11)


def test_one_that_polls_but_never_pings():
    client = Client(polls=True)
    for at in range(200):
        client.polls(at)
    assert client.ends() == pytest.approx(INTERVAL + TIMEOUT, abs=0.11)


def test_one_that_does_both_lives():
    client = Client(polls=True)
    for at in range(1, 120):
        client.polls(at)
        client.pings(at + 0.5)
    assert client.ends() > 120


def test_a_ping_that_is_never_polled_for_costs_no_more_than_its_place():
    client = Client(polls=True)
    for _ in range(1000):
        client.session.received("2")
    assert set(map(id, client.session.outgoing)) == {id(eio3.PONG)}


# The session


def test_its_names_in_namespaces():
    """Socket.id of the client: the Engine.IO sid, behind the namespace's name where it has one."""
    session = Client().session
    assert session.sid_in("/") == "sid"
    assert session.sid_in("/custom") == "/custom#sid"


def test_who_is_back_in_a_namespace_has_another_name():
    session = Client().session
    names = {session.sid_in("/") for _ in range(10)}
    assert len(names) == 10
