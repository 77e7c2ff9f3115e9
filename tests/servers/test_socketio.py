"""Socket.IO 5: namespaces, events, acknowledgements and attachments, with raw clients.

Section names are those of the protocol's document (socketio/socket.io-protocol, v5). Where it is
silent, docs/wire.md and then the reference server (socket.io 4.8) decide.
"""

from __future__ import annotations

import json

import pytest
from support.raw import BINARY, Polling, RawWebSocket, assert_name_is_free, eventually, frame
from support.servers import KINDS


@pytest.fixture
def client(server):
    client = RawWebSocket(server)
    yield client
    client.close()


def connect_engine(server) -> RawWebSocket:
    """Open an Engine.IO session without a CONNECT packet."""
    client = RawWebSocket(server, connect=False)
    assert client.receive_text().startswith("0{")
    return client


@pytest.mark.parametrize("packet", ["40", "40/,", '40{"token":"x"}', "40{}"])
def test_connect_is_answered_with_a_new_id(server, packet):
    """Connection to a namespace: the id differs from the Engine.IO session's."""
    client = RawWebSocket(server, connect=False)
    opening = json.loads(client.receive_text()[1:])
    client.send(packet)
    answer = client.receive_text()
    assert answer[:2] == "40"
    assert json.loads(answer[2:])["sid"] != opening["sid"]
    client.close()


@pytest.mark.parametrize("namespace", ["/unknown", "/admin", "/socket", "/é"])
def test_unknown_namespace_is_refused(server, namespace):
    """Connection to a namespace: CONNECT_ERROR keeps the connection open."""
    client = connect_engine(server)
    client.send(f"40{namespace},")
    assert client.receive_text() == f'44{namespace},{{"message":"Invalid namespace"}}'
    client.send("40")
    assert client.receive_text().startswith('40{"sid"')
    client.close()


@pytest.mark.parametrize("packet", ['42["join"]', '421["join"]', "41", "431[]", '451-["join"]'])
def test_packet_before_connect_ends_the_connection(server, packet):
    """Reference: Client.ondecoded closes for an unknown namespace."""
    client = connect_engine(server)
    client.send(packet)
    assert client.receive_close_code() == 1000
    session = Polling(server, connect=False)
    assert session.post(packet)[0] == 400


def test_event_in_another_namespace_ends_the_connection(client):
    client.send('42/other,["join"]')
    assert client.receive_close_code() == 1000


def test_second_connect_ends_the_connection(server, client):
    """Reference: Client.ondecoded closes if the socket exists already."""
    client.send('421["setUsername","Twice"]')
    client.receive_until("431")
    client.send("40")
    assert client.receive_close_code() == 1000
    assert_name_is_free(server, "Twice")


def test_100th_connect_of_a_session_ends_it(client):
    """See MOST_CONNECTS."""
    for _ in range(99):
        client.send("41")
        client.send("40")
        assert client.receive_text().startswith('40{"sid"')
    client.send("41")
    client.send("40")
    assert client.receive_close_code() == 1000


@pytest.mark.parametrize("kind", KINDS)
def test_rate_limits_survive_a_new_connect(serve, kind):
    """docs/operating.md: each connection has its own limits."""
    client = RawWebSocket(serve(kind, NAME_LIMIT="2/600"))
    for n in range(2):
        client.send(f'421["setUsername","Again {n}"]')
        assert '"ok":true' in client.receive_until("431")[-1]
        client.send("41")
        client.send("40")
        client.receive_until("40")
    client.send('421["setUsername","Again 2"]')
    assert "rate_limited" in client.receive_until("431")[-1]
    client.close()


@pytest.mark.parametrize("number", ["0", "1", "12", "9007199254740991"])
def test_acknowledgement_has_the_number_of_its_event(client, number):
    """Acknowledgement."""
    client.send(f'42{number}["join"]')
    assert client.receive_text().startswith(f'43{number}[{{"')


def test_event_without_a_number_is_not_acknowledged(client):
    client.send('42["setUsername","Quiet"]')
    assert client.receive_text() == '42["userSet","Quiet"]'
    client.send('427["join"]')
    assert client.receive_text().startswith("437[")


def test_unexpected_acknowledgement_is_ignored(client):
    client.send('437["x"]')
    client.send('421["join"]')
    assert client.receive_text().startswith("431[")


def test_disconnect_frees_the_name_and_keeps_the_connection(server, client):
    """Disconnection from a namespace: the client may connect again."""
    client.send('421["setUsername","Rejoiner"]')
    client.receive_until("431")
    client.send("41")
    client.send("40")
    assert client.receive_text().startswith('40{"sid"')
    other = RawWebSocket(server)
    other.send('421["setUsername","Rejoiner"]')
    assert '"ok":true' in other.receive_until("431")[-1]
    other.close()


def test_event_after_disconnect_ends_the_connection(client):
    client.send("41")
    client.send('42["join"]')
    assert client.receive_close_code() == 1000


def test_event_name_with_a_surrogate_is_refused(client):
    client.send('421["\\ud800"]')
    assert '"event":"?"' in client.receive_until("431")[0]


@pytest.mark.parametrize(
    "event", ["1", "1.5", '""', '"constructor"', '"on_msg"', '"trigger_event"']
)
def test_unknown_event_name_is_refused(client, event):
    """Reference: an event name is a string or a number."""
    client.send(f"421[{event}]")
    texts = client.receive_until("431")
    assert json.loads(texts[0][2:])[1]["event"] == json.loads(event)
    assert "unknown_event" in texts[1]


def test_binary_event_is_refused(client):
    """docs/wire.md, Refusals."""
    client.send('451-1["msg",{"message":{"_placeholder":true,"num":0}}]')
    client.send(b"\x00\x01")
    assert "bad_request" in client.receive_until("431")[-1]


def test_text_in_place_of_an_attachment_ends_the_connection(client):
    """Reference: "got plaintext data when reconstructing a packet"."""
    client.send('452-["msg",{"_placeholder":true,"num":0}]')
    client.send(b"\x00")
    client.send('421["join"]')
    assert client.receive_close_code() == 1000


def test_unannounced_attachment_ends_the_connection(client):
    """Reference: "got binary data when not reconstructing a packet"."""
    client.send_raw(frame(b"\x00", BINARY))
    assert client.receive_close_code() == 1000


def test_too_many_announced_attachments_end_the_connection(client):
    client.send('4511-["msg"]')
    assert client.receive_close_code() == 1000


def test_attachments_over_the_total_limit_end_the_connection(client):
    client.send('453-["msg"]')
    for _ in range(2):
        client.send(b"x" * 40000)
    assert client.receive_close_code() == 1000


def test_missing_attachment_does_not_delay_disconnection(server, client):
    client.send('421["setUsername","Announcer"]')
    client.receive_until("431")
    client.send('451-["msg",{"_placeholder":true,"num":0}]')
    client.close()
    other = RawWebSocket(server)

    def gets_name() -> bool:
        other.send('421["setUsername","Announcer"]')
        return '"ok":true' in other.receive_until("431")[-1]

    eventually(gets_name)
    other.close()


def test_unpaired_surrogate_is_refused(client):
    client.send('421["setUsername","\\ud800"]')
    assert "bad_request" in client.receive_until("431")[-1]


def test_events_are_handled_in_order(client):
    client.send('420["setUsername","Orderly"]')
    client.receive_until("430")
    for n in range(1, 200):
        client.send(f'42{n}["msg",{{"message":"{n}"}}]')
    ids = []
    for n in range(1, 200):
        ids.append(json.loads(client.receive_until(f"43{n}[")[-1].removeprefix(f"43{n}"))[0]["id"])
    assert ids == list(range(ids[0], ids[0] + 199))
