"""RFC 6455 and the limits of docs/wire.md, with raw frames to each kind of server."""

from __future__ import annotations

import struct

import pytest
from support.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawWebSocket, eventually, frame

LIMIT = 65536
EVENT = b'421["join"]'

VIOLATIONS = {
    # name (section of RFC 6455): (bytes, close code)
    "unmasked (5.1)": (frame(EVENT, mask=False), 1002),
    "reserved bit 1 (5.2)": (frame(EVENT, rsv=4), 1002),
    "reserved bit 2 (5.2)": (frame(EVENT, rsv=2), 1002),
    "reserved bit 3 (5.2)": (frame(EVENT, rsv=1), 1002),
    **{f"opcode {n} (5.2)": (frame(b"", n), 1002) for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "continuation of nothing (5.4)": (frame(EVENT, CONT), 1002),
    "text inside a message (5.4)": (frame(b"4", fin=False) + frame(EVENT), 1002),
    "binary inside a message (5.4)": (frame(b"4", fin=False) + frame(b"x", BINARY), 1002),
    "fragmented ping (5.5)": (frame(b"", PING, fin=False), 1002),
    "long ping (5.5)": (frame(b"x" * 126, PING), 1002),
    "close of one byte (5.5.1)": (frame(b"x", CLOSE), 1002),
    "close with a bad code (7.4)": (frame(struct.pack("!H", 1005), CLOSE), 1002),
    "over the limit by one": (frame(b"4" * (LIMIT + 1)), 1009),
    "over the limit, header alone": (b"\x81\xff" + struct.pack("!Q", 2**40) + b"mask", 1009),
    "length with its highest bit (5.2)": (b"\x81\xff" + b"\xff" * 8 + b"mask", None),
    "fragments over the limit together": (
        frame(b"4" * 40000, fin=False) + frame(b"4" * 40000, CONT),
        1009,
    ),
    "invalid UTF-8 (8.1)": (frame(b"4\xff"), 1007),
    "a surrogate in UTF-8 (8.1)": (frame(b"4\xed\xa0\x80"), 1007),
    "UTF-8 cut short (8.1)": (frame(b"4\xe2\x82"), 1007),
    "invalid UTF-8 in fragments (8.1)": (frame(b"4\xe2", fin=False) + frame(b"x", CONT), 1007),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_protocol_violation_closes_the_connection_and_frees_the_name(server, violation):
    data, code = VIOLATIONS[violation]
    client, bystander = RawWebSocket(server), RawWebSocket(server)
    client.send('421["setUsername","Violator"]')
    client.receive_until("431")
    client.send_raw(data)
    closed = client.receive_close_code()
    assert closed == code if code else closed in (1002, 1009)
    bystander.send('421["setUsername","Violator"]')
    assert '"ok":true' in bystander.receive_until("431")[-1]
    bystander.close()


@pytest.fixture
def client(server):
    client = RawWebSocket(server)
    yield client
    client.close()


def test_message_at_the_limit_is_accepted(client):
    message = '421["nonsense","' + "x" * (LIMIT - 18) + '"]'
    assert len(message) == LIMIT
    client.send(message)
    assert "unknown_event" in client.receive_until("431")[-1]


def test_fragments_are_joined_to_one_message(client):
    """Section 5.4: control frames may come between fragments."""
    client.send_raw(
        frame(EVENT[:3], fin=False)
        + frame(b"between", PING)
        + frame(b"", CONT, fin=False)
        + frame(EVENT[3:], CONT)
    )
    assert client.receive_frame() == (PONG, b"between")
    assert client.receive_text().startswith("431")


def test_frame_sent_byte_by_byte_is_accepted(client):
    for byte in frame(EVENT):
        client.send_raw(bytes([byte]))
    assert client.receive_text().startswith("431")


def test_frames_of_one_segment_are_all_answered(client):
    client.send_raw(frame(EVENT) * 5)
    assert [client.receive_text()[:3] for _ in range(5)] == ["431"] * 5


def test_utf8_sequence_may_span_fragments(client):
    """Section 5.6: only the whole message must be UTF-8."""
    body = '421["setUsername","é"]'.encode()
    cut = body.index(b"\xc3") + 1
    client.send_raw(frame(body[:cut], TEXT, fin=False) + frame(body[cut:], CONT))
    assert client.receive_text() == '42["userSet","é"]'


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(125))])
def test_ping_is_answered_with_its_data(client, data):
    """Section 5.5.2."""
    client.send_raw(frame(data, PING))
    assert client.receive_frame() == (PONG, data)


def test_unsolicited_pong_is_ignored(client):
    """Section 5.5.3."""
    client.send_raw(frame(b"x", PONG) + frame(EVENT))
    assert client.receive_text().startswith("431")


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_close_frame_is_answered_with_its_code(client, code):
    """Section 5.5.1."""
    client.send_raw(frame(struct.pack("!H", code) + b"bye", CLOSE))
    assert client.receive_close_code() == code


def test_close_frame_without_code_is_answered(client):
    client.send_raw(frame(b"", CLOSE))
    assert client.receive_close_code() == 1005


def test_client_that_ignores_the_close_frame_is_disconnected(client):
    """Section 7.1.1; docs/wire.md, Bounds: the server waits 2 s."""
    client.send("4x")
    assert client.receive_close_code() == 1000

    def is_disconnected() -> bool:
        try:
            client.send("3")
        except ConnectionError:
            return True
        return False

    eventually(is_disconnected)


def test_events_before_a_close_frame_are_handled(server, client):
    watcher = RawWebSocket(server)
    client.send('421["setUsername","Closing"]')
    client.receive_until("431")
    client.send_raw(
        b"".join(frame(b'42["msg",{"message":"%d"}]' % n) for n in range(10)) + frame(b"", CLOSE)
    )
    texts = watcher.receive_until('42["userLeft"')
    assert sum('"newmsg"' in text for text in texts) == 10
    watcher.close()


def test_handshake_response_accepts_the_key_without_extensions(client):
    """Section 4.2.2; the key and its answer are the standard's example."""
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in client.head
    assert b"Sec-WebSocket-Extensions" not in client.head
