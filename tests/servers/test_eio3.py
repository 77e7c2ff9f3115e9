"""Engine.IO 3 and Socket.IO 4, the protocols of socket.io 2 clients.

Raw clients send packets to each kind of server where the kind matters, else to gunicorn.

Section names are those of the protocols' documents (socketio/engine.io-protocol, v3;
socketio/socket.io-protocol, v4). Where these are silent, docs/wire.md and then the reference server
(engine.io 6.6 and socket.io 4.8 with allowEIO3) decide.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from support.apps.suites import CONNECT_TIMEOUT, PING_INTERVAL
from support.clients import BASE, WEBSOCKET, Engine3Polling, Engine3WebSocket, encode_payload
from support.raw import (
    BINARY,
    TEXT,
    Polling,
    RawWebSocket,
    assert_name_is_free,
    error_body,
    eventually,
    exchange,
    fetch_bytes,
    frame,
    refused_upgrade,
    request,
)
from support.servers import ROOT, UNLIMITED, Server

from chatapp.transport.eio import eio3
from chatapp.transport.eio.sender import PACKETS_PER_POLL

EMOJI = "\U0001f600"


@pytest.fixture
def gunicorn(serve) -> Iterator[Server]:
    """A gunicorn server without rate limits; fails if it logs a traceback."""
    server = serve("gunicorn", **UNLIMITED)
    yield server
    assert server.new_tracebacks() == []


@pytest.fixture(scope="module")
def namespaces(tmp_path_factory):
    """A server with more namespaces than the chat's."""
    server = Server(
        "gunicorn",
        tmp_path_factory.mktemp("namespaces"),
        UNLIMITED,
        module="support.apps.namespaces",
    )
    yield server
    assert "Traceback" not in server.log.read_text()
    server.stop()


@pytest.fixture
def client(gunicorn):
    client = Engine3WebSocket(gunicorn)
    yield client
    client.close()


# Handshake


def test_handshake_over_polling_frames_open_and_connect_packets(server):
    """Packet, open; Payload. The server sends CONNECT unasked and without data."""
    session = Engine3Polling(server)
    assert session.headers["content-type"] == "text/plain; charset=UTF-8"
    length, _, rest = session.body.partition(":")
    assert json.loads(rest[1 : int(length)]) == {
        "sid": session.open_packet["sid"],
        "upgrades": ["websocket"],
        "pingInterval": 20000,
        "pingTimeout": 10000,
        "maxPayload": 65536,
    }
    assert rest[int(length) :] == "2:40"


def test_handshake_over_websocket_sends_bare_open_and_connect_packets(server):
    """Packet, open: it isn't framed. The server sends CONNECT unasked."""
    client = Engine3WebSocket(server)
    assert client.open_packet["upgrades"] == []
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


@pytest.mark.parametrize("version", ["", "&EIO=2", "&EIO=33", "&EIO=03", "&EIO=3.0", "&EIO=x"])
def test_only_protocols_3_and_4_are_accepted(gunicorn, version):
    """The reference treats all but 4 as 3."""
    path = f"/socket.io/?transport=polling{version}"
    assert request(gunicorn, "GET", path)[::2] == (
        400,
        error_body(5, "Unsupported protocol version"),
    )


def test_session_keeps_its_protocol(gunicorn):
    """Reference: PROTOCOL_MISMATCH."""
    older, newer = Engine3Polling(gunicorn), Polling(gunicorn)
    for session, other in ((older, "4"), (newer, "3")):
        path = session.path.replace(f"EIO={session.path.split('EIO=')[1][0]}", f"EIO={other}")
        for method in ("GET", "POST"):
            answer = request(gunicorn, method, path, b"1:6" if method == "POST" else None)
            assert answer[::2] == (400, error_body(3, "Bad request"))
        assert refused_upgrade(gunicorn, path.replace("polling", "websocket"))[0] == 400
        assert session.is_alive()


@pytest.mark.parametrize("off", ["0", "false", "No", "off"])
def test_setting_disables_protocol_3(serve, off):
    """Reference: allowEIO3: false."""
    server = serve("gunicorn", ALLOW_EIO3=off)
    words = "Unsupported protocol version"
    assert request(server, "GET", BASE)[::2] == (400, error_body(5, words))
    assert refused_upgrade(server, WEBSOCKET) == (400, words)
    assert Polling(server).is_alive()


@pytest.mark.parametrize("path", [BASE + "&j=0", BASE + "&j="])
def test_jsonp_is_refused_with_a_sentence(gunicorn, path):
    status, headers, body = request(gunicorn, "GET", path)
    assert (status, body) == (400, error_body(3, "JSONP polling isn't supported"))
    assert headers["content-type"] == "application/json"


REFUSED = [
    # Reference: Server.verify and Server.errors
    ("GET", "/socket.io/?EIO=3", 400, error_body(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=3&transport=flashsocket", 400, error_body(0, "Transport unknown")),
    ("GET", BASE + "&sid=unknown", 400, error_body(1, "Session ID unknown")),
    ("POST", BASE + "&sid=unknown", 400, error_body(1, "Session ID unknown")),
    ("POST", BASE, 400, error_body(2, "Bad handshake method")),
    ("GET", WEBSOCKET, 400, error_body(3, "Bad request")),
    ("PUT", BASE, 400, error_body(2, "Bad handshake method")),
]


@pytest.mark.parametrize(("method", "path", "status", "body"), REFUSED)
def test_invalid_request_is_refused_like_the_reference(gunicorn, method, path, status, body):
    assert request(gunicorn, method, path)[::2] == (status, body)


def test_allowed_origin_may_send_credentials_and_foreign_one_is_refused(serve):
    """docs/wire.md, HTTP: clients of socket.io 2 send credentials over polling."""
    server = serve("gunicorn", ALLOWED_ORIGINS="https://a.example,null")
    for origin in ("https://a.example", "null"):
        _, headers, _ = request(server, "GET", BASE, Origin=origin)
        assert headers["access-control-allow-origin"] == origin
        assert headers["access-control-allow-credentials"] == "true"
    assert request(server, "GET", BASE, Origin="https://b.example")[::2] == (
        403,
        error_body(4, "Forbidden"),
    )


def test_session_over_the_limit_is_refused(serve):
    server = serve("gunicorn", MAX_CONNECTIONS="1", fresh=True)
    session = Engine3Polling(server)
    assert request(server, "GET", BASE)[0] == 429
    session.send("1")
    assert Engine3Polling(server).send("1") == (200, "ok")


# Heartbeat


def test_ping_over_websocket_is_answered(fast_ping_server):
    """Packet, ping and pong: only the client pings."""
    client = Engine3WebSocket(fast_ping_server)
    for _ in range(4):
        time.sleep(0.5)
        client.send("2")
        assert client.receive_text() == "3"
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


def test_ping_over_polling_is_answered(fast_ping_server):
    session = Engine3Polling(fast_ping_server)
    for _ in range(4):
        time.sleep(0.5)
        assert session.send("2") == (200, "ok")
        assert session.receive() == ["3"]


def test_client_without_pings_is_closed_at_its_deadline(fast_ping_server):
    """The deadline is the sum of interval and timeout after the open packet."""
    client = Engine3WebSocket(fast_ping_server)
    client.send('420["setUsername","Silent"]')
    client.receive_until("430")
    begun = time.monotonic()
    assert client.receive_close_code() == 1000
    assert 0.7 < time.monotonic() - begun < 1.6
    assert_name_is_free(fast_ping_server, "Silent")


def test_ping_renews_the_deadline(fast_ping_server):
    client = Engine3WebSocket(fast_ping_server)
    time.sleep(0.6)
    client.send("2")
    assert client.receive_text() == "3"
    begun = time.monotonic()
    assert client.receive_close_code() == 1000
    assert 0.8 < time.monotonic() - begun < 1.7


def test_waiting_poll_receives_the_close_packet(fast_ping_server):
    """Packet, close: the server ends the waiting poll with it."""
    session = Engine3Polling(fast_ping_server)
    assert session.poll() == (200, "1:1")
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_client_that_pings_but_never_polls_is_closed(fast_ping_server):
    """docs/wire.md, Bounds."""
    session = Engine3Polling(fast_ping_server)
    begun = time.monotonic()
    while session.send("2")[0] == 200:
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    assert time.monotonic() - begun > 0.7


def test_session_is_unknown_after_ping_timeout(fast_ping_server):
    watcher, session = RawWebSocket(fast_ping_server), Engine3Polling(fast_ping_server)
    session.send('42["setUsername","Timed out"]')
    watcher.receive_until('42["userLeft"')
    assert session.poll() == (400, error_body(1, "Session ID unknown"))
    watcher.close()


def test_deadline_survives_upgrade(fast_ping_server):
    """The reference server drops the deadline until the next ping."""
    session = Engine3Polling(fast_ping_server)
    client = upgrade(fast_ping_server, session)
    begun = time.monotonic()
    assert client.receive_close_code() == 1000
    assert time.monotonic() - begun < 1.7


def test_pong_from_client_ends_the_session(gunicorn, client):
    """Reference: "invalid heartbeat direction"."""
    client.send("3")
    assert client.receive_close_code() == 1000
    session = Engine3Polling(gunicorn)
    assert session.send("3")[0] == 400
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_ping_from_protocol_4_client_ends_the_session(gunicorn):
    """Reference: "invalid heartbeat direction"."""
    client = RawWebSocket(gunicorn)
    client.send("2")
    assert client.receive_close_code() == 1000


# Payload, as text


def test_payload_lengths_count_utf16_units(gunicorn):
    session = Engine3Polling(gunicorn)
    event = f'421["setUsername","{EMOJI}é"]'
    assert session.post(f"{len(event) + 1}:{event}".encode()) == (200, "ok")
    _, body = session.poll()
    answer = f'42["userSet","{EMOJI}é"]'
    assert body.startswith(f"{len(answer) + 1}:{answer}")
    session.send("1")


def test_payload_length_in_characters_or_bytes_ends_the_session(gunicorn):
    packet = f'42["{EMOJI}"]'
    for length in (len(packet), len(packet.encode())):
        session = Engine3Polling(gunicorn)
        assert session.post(f"{length}:{packet}".encode())[0] == 400
        assert session.poll() == (400, error_body(1, "Session ID unknown"))


MALFORMED = {
    "empty": b"",
    "no length": b'42["join"]',
    "protocol 4's form": b"42[1]\x1e42[2]",
    "a wrong length": b'9:42["join"]',
    "a length that is too small": b"1:421",
    "a length beyond the end": b'99:42["join"]',
    "an enormous length": b'99999999999999999999:42["join"]',
    "a length of 5000 digits": b"9" * 5000 + b":6",
    "a negative length": b'-1:42["join"]',
    "a fractional length": b"1.0:6",
    "a hexadecimal length": b"0x1:6",
    "a length with an exponent": b"1e0:6",
    "a length in other digits": "١:6".encode(),
    "a length with a space": b" 1:6",
    "a length that splits a character": f"1:{EMOJI}".encode(),
    "trailing digits": b"1:61",
    "a packet without a type": b"1:x",
    "binary that isn't base64": b"5:b4!!!",
    "binary of a wrong type": b"6:b2AAEC",
    "binary without a type": b"5:bAAEC",
    "invalid UTF-8": b"2:6\xff",
    "a surrogate": b"2:6\xed\xa0\x80",
    "a malformed Socket.IO packet": b"4:42{}",
    "an empty message": b"1:4",
    "a packet that only a server sends": b"4:44{}",
    "a second CONNECT": b"2:40",
    "an event in another namespace": b'11:42/x,["a"] ',
}


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_payload_ends_the_session(gunicorn, body):
    """docs/wire.md, Bounds: 400, and the session ends with that answer."""
    session = Engine3Polling(gunicorn)
    assert session.send('420["setUsername","Older"]')[0] == 200
    assert session.post(MALFORMED[body])[0] == 400
    assert session.poll() == (400, error_body(1, "Session ID unknown"))
    assert_name_is_free(gunicorn, "Older")


def test_malformed_payload_is_rejected_as_a_whole(gunicorn):
    session, watcher = Engine3Polling(gunicorn), RawWebSocket(gunicorn)
    session.post(encode_payload('42["setUsername","Half"]') + b"7")
    watcher.send('421["setUsername","Half"]')
    assert '"ok":true' in watcher.receive_until("431")[-1]
    watcher.close()


def test_meaningless_packets_are_ignored(gunicorn):
    """Reference: Socket.onPacket ignores these; an empty packet is skipped."""
    session = Engine3Polling(gunicorn)
    assert session.post(b'1:01:51:60:0:11:421["join"]') == (200, "ok")
    assert session.receive()[0].startswith("431")


def test_body_of_100_events_is_answered_in_order(server):
    """Clients of socket.io 2 send their whole queue in one POST."""
    session = Engine3Polling(server)
    event = '["history",{"since":9007199254740991}]'  # its answer is short
    assert session.send(*(f"42{n}{event}" for n in range(100))) == (200, "ok")
    received: list[str] = []
    while len(received) < 100:
        packets = session.receive()
        assert len(packets) <= PACKETS_PER_POLL
        received += packets
    assert [packet[2:].split("[")[0] for packet in received] == [str(n) for n in range(100)]


def test_body_over_the_limit_ends_the_session(gunicorn):
    session = Engine3Polling(gunicorn)
    assert session.send("4" + "x" * 65536)[0] == 413
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_body_at_the_limit_is_accepted(gunicorn):
    session = Engine3Polling(gunicorn)
    packet = '42["nonsense","' + "x" * (65536 - 17 - 6) + '"]'
    assert len(encode_payload(packet)) == 65536
    assert session.send(packet) == (200, "ok")


def test_session_that_does_not_poll_is_closed_at_128_kib(gunicorn):
    """docs/wire.md, Bounds."""
    session, speaker = Engine3Polling(gunicorn), RawWebSocket(gunicorn)
    speaker.send('420["setUsername","Loud"]')
    speaker.receive_until("430")
    for n in range(70):
        speaker.send(f'42{n}["msg",{{"message":"{"x" * 2000}"}}]')
        speaker.receive_until(f"43{n}")
    eventually(lambda: not session.is_alive())
    speaker.close()


# Payload, binary


def poll_binary(session: Engine3Polling) -> list[str | bytes]:
    _, headers, body = fetch_bytes(session.server, "GET", session.path)
    assert headers["content-type"] == "application/octet-stream", body
    return eio3.from_octets(body)


def encode_binary_payload(*packets: str | bytes) -> bytes:
    found = b""
    for packet in packets:
        data = packet.encode() if isinstance(packet, str) else packet
        head = [isinstance(packet, bytes), *map(int, str(len(data))), 255]
        found += bytes(head) + data
    return found


OCTETS = {"Content_Type": "application/octet-stream"}
ECHO = '451-/custom,1["echo",{"_placeholder":true,"num":0}]'
ECHOED = '461-/custom,1[{"_placeholder":true,"num":0}]'


@pytest.mark.parametrize("query", ["", "&b64="])
def test_binary_over_polling_makes_the_response_binary(namespaces, query):
    """Payload: one binary packet makes the whole payload binary."""
    session = Engine3Polling(namespaces, query)
    session.send("40/custom")
    assert session.receive() == ["40/custom,"]
    assert session.post(encode_binary_payload(ECHO, b"\4\0\1\xff"), **OCTETS) == (200, "ok")
    assert poll_binary(session) == [ECHOED, b"\4\0\1\xff"]
    session.send('42/custom,2["echo"]')
    assert session.receive() == ["43/custom,2[]"]


def test_b64_parameter_selects_base64_responses(namespaces):
    """Payload, `b64`: responses use base64, a POST may have either encoding."""
    session = Engine3Polling(namespaces, "&b64=1")
    session.send("40/custom")
    session.poll()
    for body in (encode_payload(ECHO, "b4AAH/"), encode_binary_payload(ECHO, b"\4\0\1\xff")):
        assert session.post(body, **(OCTETS if body[0] < 2 else {})) == (200, "ok")
        assert session.poll() == (200, encode_payload(ECHOED, "b4AAH/").decode())


MALFORMED_OCTETS = [b"", b"\0\2\xff6", b"\0\xff6", b"\2\1\xff6", b"\0" + b"\x09" * 11 + b"\xff6"]


@pytest.mark.parametrize("body", [*MALFORMED_OCTETS, b"\1\1\xff6", b"\1\2\xff\2x", b"1:6"])
def test_malformed_binary_payload_ends_the_session(gunicorn, body):
    session = Engine3Polling(gunicorn)
    assert session.post(body, **OCTETS)[0] == 400
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


@pytest.mark.parametrize(
    ("query", "opcode", "data"), [("", BINARY, b"\4\0\1"), ("&b64=1", TEXT, b"b4AAE=")]
)
def test_binary_over_websocket_uses_the_clients_encoding(namespaces, query, opcode, data):
    """Packet: a binary frame begins with the type; with `b64` it is a text frame."""
    client = Engine3WebSocket(namespaces, query=query)
    client.send("40/custom")
    client.receive_until("40/custom")
    for attachment in (b"\4\0\1", "b4AAE="):
        client.send(ECHO)
        client.send(attachment)
        assert client.receive_text() == ECHOED
        assert client.receive_frame() == (opcode, data)
    client.close()


@pytest.mark.parametrize("data", [b"", b"\0\1", b"\2", b"\6"])
def test_binary_frame_that_is_no_message_ends_the_session(client, data):
    client.send_raw(frame(data, BINARY))
    assert client.receive_close_code() == 1000


def test_binary_broadcast_uses_each_recipients_encoding(namespaces):
    """Engine.IO 4 frames have no type byte; text is the same for all."""
    clients = [
        Engine3WebSocket(namespaces),
        RawWebSocket(namespaces),
        Engine3WebSocket(namespaces, query="&b64=1"),
    ]
    engine3_polling, polling = Engine3Polling(namespaces), Polling(namespaces)
    for client in clients:
        client.send("40/custom,")
        client.receive_until("40/custom")
    for session in (engine3_polling, polling):
        session.post(b"10:40/custom," if session is engine3_polling else "40/custom,")
        session.poll()
    clients[0].send('451-/custom,["tell",{"_placeholder":true,"num":0}]')
    clients[0].send(b"\4\1\2")
    clients[0].send('42/custom,["tell","text"]')
    encodings = [(BINARY, b"\4\1\2"), (BINARY, b"\1\2"), (TEXT, b"b4AQI=")]
    event = '451-/custom,["told",{"_placeholder":true,"num":0}]'
    for client, encoding in zip(clients, encodings, strict=True):
        assert client.receive_text() == event
        assert client.receive_frame() == encoding
        assert client.receive_text() == '42/custom,["told","text"]'
        client.close()
    assert poll_binary(engine3_polling)[:2] == [event, b"\4\1\2"]
    assert polling.poll()[1].split("\x1e")[:2] == [event, "bAQI="]


# Upgrade


def upgrade(server, session: Engine3Polling) -> Engine3WebSocket:
    client = Engine3WebSocket(server, session.path.replace("polling", "websocket"))
    client.send("2probe")
    assert client.receive_text() == "3probe"
    client.send("5")
    return client


def test_upgrade_moves_the_session_to_websocket(server):
    """Transport upgrading: probe, noop to the waiting poll, upgrade, queued packets."""
    session = Engine3Polling(server)
    waiting, answers = session.start_poll()
    client = Engine3WebSocket(server, session.path.replace("polling", "websocket"))
    client.send("2probe")
    assert client.receive_text() == "3probe"
    waiting.join(10)
    assert answers == [(200, "1:6")]
    session.send('421["join"]', f'422["setUsername","Up {EMOJI}"]')
    client.send("5")
    assert client.receive_text().startswith("431")
    assert client.receive_text() == f'42["userSet","Up {EMOJI}"]'
    client.send("2")
    assert "3" in client.receive_until("3")
    assert session.poll() == (400, error_body(3, "Bad request"))
    client.close()


@pytest.mark.parametrize("messages", [["2"], ["5"], ["3probe"], ["2probe", "x"], [""]])
def test_invalid_probe_keeps_the_session_on_polling(gunicorn, messages):
    session = Engine3Polling(gunicorn)
    client = Engine3WebSocket(gunicorn, session.path.replace("polling", "websocket"))
    for message in messages:
        client.send(message)
    assert client.receive_close_code() == 1007
    assert session.send('421["join"]') == (200, "ok")
    assert session.receive()[0].startswith("431")


def test_refused_websocket_gets_an_http_response(gunicorn):
    """Reference: abortUpgrade."""
    assert refused_upgrade(gunicorn, WEBSOCKET + "&sid=unknown") == (400, "Session ID unknown")


# Closing


def test_close_packet_over_polling_ends_the_session(server):
    """Packet, close: the server ends the waiting poll with a noop."""
    session = Engine3Polling(server)
    session.send('42["setUsername","Closer"]')
    session.poll()
    waiting, answers = session.start_poll()
    assert session.send("1") == (200, "ok")
    waiting.join(10)
    assert answers == [(200, "1:6")]
    assert session.poll() == (400, error_body(1, "Session ID unknown"))
    assert_name_is_free(server, "Closer")


def test_close_packet_over_websocket_ends_the_session(client):
    client.send("1")
    assert client.receive_close_code() == 1000


def test_concurrent_poll_ends_the_session(server):
    """Reference: "overlap from client": the first poll gets a close, the second is refused."""
    session = Engine3Polling(server)
    waiting, first = session.start_poll()
    assert session.poll() == (400, "")
    waiting.join(10)
    assert first == [(200, "1:1")]
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_concurrent_post_ends_the_session(gunicorn):
    session = Engine3Polling(gunicorn)
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=15) as link:
        head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"
        link.sendall(head.encode())
        time.sleep(0.3)
        assert session.send("6")[0] == 400
        assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_disconnected_poll_ends_the_session(gunicorn):
    session = Engine3Polling(gunicorn)
    session.send('42["setUsername","Hung up"]')
    session.poll()
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=15) as link:
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
    eventually(lambda: not session.is_alive(), within=4)
    assert_name_is_free(gunicorn, "Hung up")


def test_response_to_head_has_no_body(gunicorn):
    answer = exchange(
        gunicorn, f"HEAD {BASE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.endswith(b"\r\n\r\n")


def test_shutdown_closes_sessions_at_the_transport(tmp_path):
    """docs/wire.md, Held names: clients then reconnect by themselves."""
    server = Server("gunicorn", tmp_path, UNLIMITED)
    session, client = Engine3Polling(server), Engine3WebSocket(server)
    waiting, answers = session.start_poll()
    server.terminate()
    assert client.receive_close_code() == 1000
    waiting.join(10)
    assert answers == [(200, "1:1")]
    assert server.stop() == 0


# Socket.IO


def test_session_without_connect_packet_stays_open(serve):
    """The server connects such a session to the default namespace by itself."""
    client = Engine3WebSocket(serve("gunicorn", module="support.apps.suites"))
    assert client.receive_text() == '42["auth",{}]'
    until = time.monotonic() + 1.5 * CONNECT_TIMEOUT
    while time.monotonic() < until:
        client.send("2")
        assert client.receive_text() == "3"
        time.sleep(PING_INTERVAL / 2)
    client.send('421["message-with-ack","still open"]')
    assert client.receive_text() == '431["still open"]'
    client.close()


def test_client_enters_another_namespace_with_a_query(namespaces):
    """CONNECT: the path is the namespace, the query is its auth.

    Reference: the id is the namespace's name and the Engine.IO sid.
    """
    client = Engine3WebSocket(namespaces)
    client.send("40/custom?token=a%2Cb&x=,")
    assert client.receive_text() == "40/custom,"
    client.send('42/custom,1["identity"]')
    assert json.loads(client.receive_text().removeprefix("43/custom,1")) == [
        {"id": f"/custom#{client.open_packet['sid']}", "auth": {"token": "a,b", "x": ""}}
    ]
    client.send('42/custom,7["echo",1,{"a":"é"}]')
    assert client.receive_text() == '43/custom,7[1,{"a":"é"}]'
    client.send('42/custom?token=b,8["echo"]')
    assert client.receive_text() == "43/custom,8[]"
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


@pytest.mark.parametrize(
    ("query", "data"), [("refuse=why", '{"why":"why"}'), ("refuse=", '"refused"')]
)
def test_refusal_carries_bare_data(namespaces, query, data):
    """ERROR: the data, or the sentence without data; the connection stays."""
    client = Engine3WebSocket(namespaces)
    client.send(f"40/custom?{query}")
    assert client.receive_text() == f"44/custom,{data}"
    client.send("40/custom")
    assert client.receive_text() == "40/custom,"
    client.close()


def test_unknown_namespace_is_refused(client):
    """Reference: the error has Socket.IO 5's form, and the name no query."""
    client.send("40/unknown?a=b,")
    assert client.receive_text() == '44/unknown,{"message":"Invalid namespace"}'
    client.send('421["join"]')
    assert client.receive_text().startswith("431")


def test_second_connect_ends_the_session(gunicorn, client):
    """Reference: Client.ondecoded."""
    client.send("40")
    assert client.receive_close_code() == 1000


@pytest.mark.parametrize("packet", ['42/other,["join"]', '42/?x,["a"]x', "44", "431", "40[]"])
def test_malformed_packet_ends_the_session(client, packet):
    client.send(packet)
    assert client.receive_close_code() == 1000


def test_disconnect_frees_the_name_and_allows_a_new_connect(gunicorn, client):
    """DISCONNECT is `41`; the connection stays."""
    client.send('421["setUsername","Rejoiner"]')
    client.receive_until("431")
    client.send("41")
    client.send("40")
    assert client.receive_text() == "40"
    assert_name_is_free(gunicorn, "Rejoiner")


def test_server_disconnects_client_from_a_namespace(namespaces):
    client = Engine3WebSocket(namespaces)
    client.send("40/custom")
    client.receive_until("40/custom")
    client.send('42/custom,["go"]')
    assert client.receive_text() == "41/custom,"
    client.send('421["join"]')
    assert client.receive_text().startswith("431")
    client.close()


def test_client_acknowledges_event_of_server(namespaces):
    client = Engine3WebSocket(namespaces)
    client.send("40/custom")
    client.receive_until("40/custom")
    client.send('42/custom,["ask"]')
    assert client.receive_text() == '42/custom,1["asked"]'
    client.send('43/custom,1["yes",2]')
    assert client.receive_text() == '42/custom,["answered","yes",2]'
    client.close()


def test_binary_event_is_refused(client):
    """docs/wire.md, Refusals."""
    client.send('451-1["msg",{"message":{"_placeholder":true,"num":0}}]')
    client.send(b"\4\0\1")
    texts = client.receive_until("431")
    assert "bad_request" in texts[-1]
    assert texts[0].startswith('42["refused"')


def test_oldest_clients_events_work_beside_a_current_client(gunicorn):
    """docs/wire.md, Older clients."""
    older, newer, polling = (
        Engine3WebSocket(gunicorn),
        RawWebSocket(gunicorn),
        Engine3Polling(gunicorn),
    )
    older.send('42["setUsername","Oldest"]')
    assert older.receive_text() == '42["userSet","Oldest"]'
    polling.send('42["setUsername","OLDEST"]')
    sentence = "OLDEST username is taken! Try some other username."
    assert f'42["userExists","{sentence}"]' in polling.receive()
    older.send(f'42["msg",{{"message":"{EMOJI}","user":"?"}}]')
    received = [older.receive_until('42["newmsg"')[-1], newer.receive_until('42["newmsg"')[-1]]
    while not (found := [text for text in polling.receive() if text.startswith('42["newmsg"')]):
        pass  # each poll has a time limit
    received += found
    assert len(set(received)) == 1
    assert json.loads(received[0][2:])[1] == {"user": "Oldest", "message": EMOJI}
    older.close()
    newer.receive_until('42["userLeft"')
    newer.close()


# Payloads of engine.io-parser

PARSE = """
const parser = require("engine.io-parser");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const read = (data) => {
  const found = [];
  parser.decodePayload(data, (packet) => { found.push(packet); });
  return found.map(({ type, data }) =>
    [type, Buffer.isBuffer(data) ? { b64: data.toString("base64") } : data ?? null]);
};
const packets = given.map((data) => ({ type: "message",
  data: typeof data === "string" ? data : Buffer.from(data.b64, "base64") }));
const written = {};
parser.encodePayload(packets, false, (data) => { written.text = data; });
parser.encodePayload(packets, true, (data) => { written.octets = data.toString("base64"); });
const again = process.argv[1] ? read(Buffer.from(process.argv[1], "base64").toString()) : null;
const octets = read(Buffer.from(process.argv[2], "base64"));
console.log(JSON.stringify({ written, again, octets }));
"""


def test_payloads_match_engine_io_parser_2():
    """engine.io-parser 2.2, which socket.io-client 2.3.1 uses."""
    from base64 import b64decode, b64encode

    from engineio import packet as engineio_packet
    from engineio.packet import Packet

    messages: list[str | bytes] = ["2[1]", f"é{EMOJI}\uffff中", b"\0\1\xff", "", b"", "x" * 300]
    packets = [
        eio3.Binary(data, base64=False)
        if isinstance(data, bytes)
        else Packet(engineio_packet.MESSAGE, data)
        for data in messages
    ]
    as_text, as_octets = (
        "".join(map(eio3.text, packets)).encode(),
        b"".join(map(eio3.octets, packets)),
    )
    in_json = [{"b64": b64encode(d).decode()} if isinstance(d, bytes) else d for d in messages]
    done = subprocess.run(
        ["node", "-e", PARSE, b64encode(as_text).decode(), b64encode(as_octets).decode()],
        cwd=ROOT / "tests/node_modules/socket.io-client-2.3",
        input=json.dumps(in_json),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["written"]["text"].encode() == as_text
    assert b64decode(found["written"]["octets"]) == as_octets
    expected = [["message", data or (None if data == "" else data)] for data in in_json]
    assert found["again"] == found["octets"] == expected
