"""Engine.IO 4: malformed, closing and meaningless packets to each kind of server.

Section names are those of the protocol's document (socketio/engine.io-protocol, v4). Where it is
silent, docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import pytest
from support.raw import Polling, RawWebSocket, assert_name_is_free, error_body

MALFORMED = [
    # Packet encoding: no packet, no type, invalid base64; malformed Socket.IO packets
    *["", "x", "7", "42[]\x1e", "\x1e", "b!!!", "4", "b", "é", "-1", " 4"],
    *["2", "2probe"],  # Heartbeat: only the server pings
    *["42", "42{", "42{}", "42[]", "42[null]", "42[{}]", '42["a"', "42abc", '42["a"]]'],
    *[
        "4",
        "4x",
        "48",
        "49",
        "40[]",
        '40"a"',
        "41{}",
        "43",
        "43{}",
        "431",
        "431{}",
        "44",
        '44{"a":1}',
    ],
    *["45", "451-", '45["a"]', '4511-["a"]', '45999999999-["a"]', "451-[]", "46", '46["a"]'],
    *['42["a",NaN]', '42["a",Infinity]', "42[" * 5000, '42["a"]\x1ex', "4null", "4[]", '4"2"'],
    *["420x[]", "42/x"],
    *["4" + "[" * 5000, "4" + '{"a":' * 5000],  # python-engineio would parse them as JSON
]


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_packet_over_polling_ends_the_session(server, body):
    """docs/wire.md, Bounds: the response is 400 and ends the session."""
    session = Polling(server)
    assert session.post('420["setUsername","Malformed"]')[0] == 200
    assert session.post(body)[0] == 400
    assert session.poll() == (400, error_body(1, "Session ID unknown"))
    assert_name_is_free(server, "Malformed")


@pytest.mark.parametrize("message", [m for m in MALFORMED if "\x1e" not in m and m])
def test_malformed_packet_over_websocket_ends_the_session(server, message):
    """docs/wire.md, Bounds: the connection is closed and its name is free."""
    client = RawWebSocket(server)
    client.send('420["setUsername","Malformed"]')
    client.receive_until("430")
    client.send(message)
    assert client.receive_close_code() == 1000
    assert_name_is_free(server, "Malformed")


def test_empty_message_over_websocket_ends_the_session(server):
    client = RawWebSocket(server)
    client.send("")
    assert client.receive_close_code() == 1000


@pytest.mark.parametrize("packet", ["0", "5", "6", "3", "43[]", '43["x"]'])
def test_meaningless_packet_is_ignored(server, packet):
    """Reference: Socket.onPacket ignores these, and Socket.onack unknown numbers."""
    client = RawWebSocket(server)
    client.send(packet)
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


@pytest.mark.parametrize("value", ["9" * 4301, "[" * 200 + "]" * 200])
def test_huge_or_deep_value_is_refused_and_the_connection_stays(server, value):
    """docs/wire.md, Refusals and Bounds."""
    client = RawWebSocket(server)
    client.send(f'421["history",{{"since":{value}}}]')
    assert '"code":"bad_request"' in client.receive_until("431")[-1]
    client.send('422["join"]')
    assert client.receive_text().startswith("432")
    client.close()
