"""Limits on the frames, packets, requests and bytes of a connection.

Raw clients flood each kind of server (docs/wire.md, Bounds).
"""

from __future__ import annotations

import contextlib
import socket

import pytest
from support.raw import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Polling,
    RawWebSocket,
    assert_name_is_free,
    frame,
)
from support.servers import KINDS

LIMITS = {"EVENT_LIMIT": "20/60", "MESSAGE_LIMIT": "", "NAME_LIMIT": ""}
ALLOWED = 300  # units in a minute: 15 for each allowed event

FLOODS = {
    "acknowledgements": frame(b"43[]"),
    "large acknowledgements": frame(b"431[" + b"1," * 500 + b'"\\ud800"]'),
    "Engine.IO pongs": frame(b"3"),
    "WebSocket pings": frame(b"", PING),
    "WebSocket pongs": frame(b"", PONG),
    "empty fragments": frame(b"", TEXT, fin=False) + frame(b"", CONT, fin=False) * 10,
    "binary attachments": frame(b'451-["x",{"_placeholder":true,"num":0}]') + frame(b"", BINARY),
}
WEBSOCKET = "/socket.io/?EIO={}&transport=websocket"


@pytest.fixture(params=KINDS)
def metered(request, serve):
    return serve(request.param, **LIMITS)


def flood_until_closed(client: RawWebSocket, flood: bytes) -> None:
    """Send more than is allowed and wait until the server closes the connection."""
    client.send('420["setUsername","Flooding"]')
    with contextlib.suppress(ConnectionError):
        client.send_raw(flood)
        while client.sock.recv(65536):
            pass


@pytest.mark.parametrize("flood", FLOODS)
def test_flood_of_packets_closes_only_its_connection(metered, flood):
    bystander = RawWebSocket(metered)
    fragmented = flood == "empty fragments"
    pieces = FLOODS[flood]
    first, rest = (pieces[:6], pieces[6:]) if fragmented else (b"", pieces)
    flood_until_closed(RawWebSocket(metered), first + rest * (2 * ALLOWED))
    assert_name_is_free(metered, "Flooding")
    bystander.send('421["join"]')
    bystander.receive_until("431")
    bystander.close()


def test_flood_is_closed_with_code_1008(metered):
    """RFC 6455, section 7.4.1: 1008."""
    client = RawWebSocket(metered)
    client.send_raw(frame(b"", PONG) * ALLOWED + frame(b"", PONG))
    assert client.receive_close_code() == 1008
    client.close()


def test_engine_3_pings_are_metered(metered):
    client = RawWebSocket(metered, connect=False, path=WEBSOCKET.format(3))
    flood_until_closed(client, frame(b"2") * (2 * ALLOWED))
    assert_name_is_free(metered, "Flooding")


def test_bytes_are_metered(metered):
    flood_until_closed(RawWebSocket(metered), frame(b"43[" + b"1," * 30000 + b"1]") * 10)
    assert_name_is_free(metered, "Flooding")


def test_each_read_of_a_split_frame_is_metered(metered):
    client = RawWebSocket(metered)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.send('420["setUsername","Flooding"]')
    pieces = frame(b"43[" + b"1," * 30000 + b"1]")
    client.receive_until("430")
    for at in range(len(pieces)):
        client.send_raw(pieces[at : at + 1])
    assert client.receive_close_code() == 1008
    assert_name_is_free(metered, "Flooding")


def test_packets_over_polling_are_metered(metered):
    session = Polling(metered)
    assert session.post("\x1e".join(["3"] * 100)) == (200, "ok")
    assert session.post("\x1e".join(["3"] * ALLOWED))[0] == 429
    assert session.poll()[0] == 400


def test_allowed_events_with_pongs_stay_below_the_limit(metered):
    """The client sends pongs of both kinds and all events that are allowed."""
    client = RawWebSocket(metered)
    for number in range(20):
        client.send_raw(frame(b"", PONG) + frame(b"3") + frame(b'421%d["join"]' % number))
        client.receive_until(f"431{number}")
    client.close()
