"""Engine.IO 3 and Socket.IO 4, rule by rule: what clients of socket.io 2.x speak.

Sections are those of the protocols' documents (socketio/engine.io-protocol, v3;
socketio/socket.io-protocol, v4); where they are silent, docs/wire.md and then the reference server
(engine.io 6.6, socket.io 4.8, with allowEIO3) decide. Over each kind of server where the server has
a part in it, else over gunicorn's.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time

import pytest
from support.clients import BASE, WEBSOCKET, OlderPolling, OlderWebSocket, payload
from support.raw import (
    BINARY,
    TEXT,
    Polling,
    RawWebSocket,
    error,
    eventually,
    exchange,
    fetched,
    frame,
    name_is_free,
    refused_upgrade,
    request,
)
from support.servers import ROOT, UNLIMITED, Server

from chatapp.transport.eio import eio3
from chatapp.transport.eio.session import PACKETS_PER_POLL

EMOJI = "\U0001f600"


@pytest.fixture
def here(serve) -> Server:
    """gunicorn, without limits on rates."""
    return serve("gunicorn", **UNLIMITED)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A server with another namespace than the chat's."""
    server = Server(
        "gunicorn", tmp_path_factory.mktemp("wide"), UNLIMITED, module="support.apps.namespaces"
    )
    yield server
    assert "Traceback" not in server.log.read_text()
    server.stop()


@pytest.fixture
def client(here):
    client = OlderWebSocket(here)
    yield client
    client.close()


# Handshake


def test_handshake_over_polling(server):
    """Packet, open; Payload: framed by its length. CONNECT is unasked, and has no data."""
    session = OlderPolling(server)
    assert session.headers["content-type"] == "text/plain; charset=UTF-8"
    length, _, rest = session.first.partition(":")
    assert json.loads(rest[1 : int(length)]) == {
        "sid": session.opening["sid"],
        "upgrades": ["websocket"],
        "pingInterval": 20000,
        "pingTimeout": 10000,
        "maxPayload": 65536,
    }
    assert rest[int(length) :] == "2:40"


def test_handshake_over_websocket(server):
    """Packet, open: bare; then CONNECT, unasked."""
    client = OlderWebSocket(server)
    assert client.opening["upgrades"] == []
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


@pytest.mark.parametrize("version", ["", "&EIO=2", "&EIO=33", "&EIO=03", "&EIO=3.0", "&EIO=x"])
def test_exactly_3_or_4(here, version):
    """The reference takes all but 4 for 3."""
    path = f"/socket.io/?transport=polling{version}"
    assert request(here, "GET", path)[::2] == (400, error(5, "Unsupported protocol version"))


def test_the_protocol_of_a_session_is_fixed(here):
    """Reference: PROTOCOL_MISMATCH."""
    older, newer = OlderPolling(here), Polling(here)
    for session, other in ((older, "4"), (newer, "3")):
        path = session.path.replace(f"EIO={session.path.split('EIO=')[1][0]}", f"EIO={other}")
        for method in ("GET", "POST"):
            answer = request(here, method, path, b"1:6" if method == "POST" else None)
            assert answer[::2] == (400, error(3, "Bad request"))
        assert refused_upgrade(here, path.replace("polling", "websocket"))[0] == 400
        assert session.is_alive()


@pytest.mark.parametrize("off", ["0", "false", "No", "off"])
def test_it_can_be_forbidden(serve, off):
    """Reference: allowEIO3: false."""
    server = serve("gunicorn", ALLOW_EIO3=off)
    words = "Unsupported protocol version"
    assert request(server, "GET", BASE)[::2] == (400, error(5, words))
    assert refused_upgrade(server, WEBSOCKET) == (400, words)
    assert Polling(server).is_alive()


@pytest.mark.parametrize("path", [BASE + "&j=0", BASE + "&j="])
def test_jsonp_is_refused_in_words(here, path):
    status, headers, body = request(here, "GET", path)
    assert (status, body) == (400, error(3, "JSONP polling isn't supported"))
    assert headers["content-type"] == "application/json"


REFUSED = [
    # Reference: Server.verify and Server.errors
    ("GET", "/socket.io/?EIO=3", 400, error(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=3&transport=flashsocket", 400, error(0, "Transport unknown")),
    ("GET", BASE + "&sid=unknown", 400, error(1, "Session ID unknown")),
    ("POST", BASE + "&sid=unknown", 400, error(1, "Session ID unknown")),
    ("POST", BASE, 400, error(2, "Bad handshake method")),
    ("GET", WEBSOCKET, 400, error(3, "Bad request")),
    ("PUT", BASE, 400, error(2, "Bad handshake method")),
]


@pytest.mark.parametrize(("method", "path", "status", "body"), REFUSED)
def test_refused_requests(here, method, path, status, body):
    assert request(here, method, path)[::2] == (status, body)


def test_a_foreign_origin_is_refused_and_an_allowed_one_may_send_cookies(serve):
    """docs/wire.md, HTTP: the origin itself, and credentials, as 2.x's polling sends them."""
    server = serve("gunicorn", ALLOWED_ORIGINS="https://a.example,null")
    for origin in ("https://a.example", "null"):
        _, headers, _ = request(server, "GET", BASE, Origin=origin)
        assert headers["access-control-allow-origin"] == origin
        assert headers["access-control-allow-credentials"] == "true"
    assert request(server, "GET", BASE, Origin="https://b.example")[::2] == (
        403,
        error(4, "Forbidden"),
    )


def test_too_many_sessions_are_refused(serve):
    server = serve("gunicorn", MAX_CONNECTIONS="1", fresh=True)
    session = OlderPolling(server)
    assert request(server, "GET", BASE)[0] == 429
    session.says("1")
    assert OlderPolling(server).says("1") == (200, "ok")


# Heartbeat


def test_the_client_pings_and_the_server_answers(quick):
    """Packet, ping and pong; the server never pings."""
    client = OlderWebSocket(quick)
    for _ in range(4):
        time.sleep(0.5)
        client.send("2")
        assert client.text() == "3"
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


def test_pings_over_polling(quick):
    session = OlderPolling(quick)
    for _ in range(4):
        time.sleep(0.5)
        assert session.says("2") == (200, "ok")
        assert session.hears() == ["3"]


def test_one_that_does_not_ping_is_closed(quick):
    """Its deadline is the interval and the timeout together, from the open packet."""
    client = OlderWebSocket(quick)
    client.send('420["setUsername","Silent"]')
    client.texts("430")
    begun = time.monotonic()
    assert client.close_code() == 1000
    assert 0.7 < time.monotonic() - begun < 1.6
    name_is_free(quick, "Silent")


def test_each_ping_renews_the_deadline(quick):
    client = OlderWebSocket(quick)
    time.sleep(0.6)
    client.send("2")
    assert client.text() == "3"
    begun = time.monotonic()
    assert client.close_code() == 1000
    assert 0.8 < time.monotonic() - begun < 1.7


def test_a_waiting_poll_hears_the_end(quick):
    """Packet, close: what the server closes ends the poll with it."""
    session = OlderPolling(quick)
    assert session.poll() == (200, "1:1")
    assert session.poll() == (400, error(1, "Session ID unknown"))


def test_one_that_pings_but_never_polls_is_closed(quick):
    """docs/wire.md, Bounds."""
    session = OlderPolling(quick)
    begun = time.monotonic()
    while session.says("2")[0] == 200:
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    assert time.monotonic() - begun > 0.7


def test_session_is_unknown_after_a_ping_timeout(quick):
    watcher, session = RawWebSocket(quick), OlderPolling(quick)
    session.says('42["setUsername","Timed out"]')
    watcher.texts('42["userLeft"')
    assert session.poll() == (400, error(1, "Session ID unknown"))
    watcher.close()


def test_the_deadline_outlives_an_upgrade(quick):
    """The reference server forgets it there, until the next ping."""
    session = OlderPolling(quick)
    client = upgraded(quick, session)
    begun = time.monotonic()
    assert client.close_code() == 1000
    assert time.monotonic() - begun < 1.7


def test_a_pong_from_the_client_closes_it(here, client):
    """Reference: "invalid heartbeat direction"."""
    client.send("3")
    assert client.close_code() == 1000
    session = OlderPolling(here)
    assert session.says("3")[0] == 400
    assert session.poll() == (400, error(1, "Session ID unknown"))


def test_a_ping_from_a_client_of_protocol_4_closes_that(here):
    """Reference: "invalid heartbeat direction"."""
    client = RawWebSocket(here)
    client.send("2")
    assert client.close_code() == 1000


# Payload, as text


def test_lengths_count_utf16_units_in_both_directions(here):
    session = OlderPolling(here)
    said = f'421["setUsername","{EMOJI}é"]'
    assert session.post(f"{len(said) + 1}:{said}".encode()) == (200, "ok")
    _, body = session.poll()
    told = f'42["userSet","{EMOJI}é"]'
    assert body.startswith(f"{len(told) + 1}:{told}")
    session.says("1")


def test_a_character_counted_as_one_unit_or_as_bytes_closes_it(here):
    packet = f'42["{EMOJI}"]'
    for length in (len(packet), len(packet.encode())):
        session = OlderPolling(here)
        assert session.post(f"{length}:{packet}".encode())[0] == 400
        assert session.poll() == (400, error(1, "Session ID unknown"))


MALFORMED = {
    "empty": b"",
    "no length": b'42["join"]',
    "protocol 4's form": b"42[1]\x1e42[2]",
    "a wrong length": b'9:42["join"]',
    "a short one": b"1:421",
    "beyond the end": b'99:42["join"]',
    "enormous": b'99999999999999999999:42["join"]',
    "of 5000 digits": b"9" * 5000 + b":6",
    "below 0": b'-1:42["join"]',
    "a fraction": b"1.0:6",
    "hexadecimal": b"0x1:6",
    "an exponent": b"1e0:6",
    "of other digits": "١:6".encode(),
    "with a space": b" 1:6",
    "cutting a character": f"1:{EMOJI}".encode(),
    "trailing digits": b"1:61",
    "a packet of no type": b"1:x",
    "binary that isn't base64": b"5:b4!!!",
    "binary of another type": b"6:b2AAEC",
    "binary without a type": b"5:bAAEC",
    "no UTF-8": b"2:6\xff",
    "a surrogate": b"2:6\xed\xa0\x80",
    "broken Socket.IO": b"4:42{}",
    "no message": b"1:4",
    "what only the server says": b"4:44{}",
    "a second CONNECT": b"2:40",
    "an event elsewhere": b'11:42/x,["a"] ',
}


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_payload_closes_it(here, body):
    """docs/wire.md, Bounds: 400, and the session ends with that answer."""
    session = OlderPolling(here)
    assert session.says('420["setUsername","Older"]')[0] == 200
    assert session.post(MALFORMED[body])[0] == 400
    assert session.poll() == (400, error(1, "Session ID unknown"))
    name_is_free(here, "Older")


def test_of_a_malformed_payload_nothing_is_taken(here):
    session, watcher = OlderPolling(here), RawWebSocket(here)
    session.post(payload('42["setUsername","Half"]') + b"7")
    watcher.send('421["setUsername","Half"]')
    assert '"ok":true' in watcher.texts("431")[-1]
    watcher.close()


def test_packets_without_meaning_are_ignored(here):
    """Reference: Socket.onPacket has no case for these; an empty packet is skipped."""
    session = OlderPolling(here)
    assert session.post(b'1:01:51:60:0:11:421["join"]') == (200, "ok")
    assert session.hears()[0].startswith("431")


def test_many_packets_in_one_body_are_all_taken(server):
    """Clients of 2.x say all that waits in one POST."""
    session = OlderPolling(server)
    asked = '["history",{"since":9007199254740991}]'  # whose answer is short
    assert session.says(*(f"42{n}{asked}" for n in range(100))) == (200, "ok")
    heard: list[str] = []
    while len(heard) < 100:
        found = session.hears()
        assert len(found) <= PACKETS_PER_POLL
        heard += found
    assert [packet[2:].split("[")[0] for packet in heard] == [str(n) for n in range(100)]


def test_a_body_over_the_limit(here):
    session = OlderPolling(here)
    assert session.says("4" + "x" * 65536)[0] == 413
    assert session.poll() == (400, error(1, "Session ID unknown"))


def test_a_body_at_the_limit(here):
    session = OlderPolling(here)
    packet = '42["nonsense","' + "x" * (65536 - 17 - 6) + '"]'
    assert len(payload(packet)) == 65536
    assert session.says(packet) == (200, "ok")


def test_one_that_does_not_poll_is_cut_when_128_kib_wait(here):
    """docs/wire.md, Bounds."""
    session, speaker = OlderPolling(here), RawWebSocket(here)
    speaker.send('420["setUsername","Loud"]')
    speaker.texts("430")
    for n in range(70):
        speaker.send(f'42{n}["msg",{{"message":"{"x" * 2000}"}}]')
        speaker.texts(f"43{n}")
    eventually(lambda: not session.is_alive())
    speaker.close()


# Payload, binary


def fetched_octets(session: OlderPolling) -> list[str | bytes]:
    _, headers, body = fetched(session.server, "GET", session.path)
    assert headers["content-type"] == "application/octet-stream", body
    return eio3.from_octets(body)


def octets(*said: str | bytes) -> bytes:
    found = b""
    for packet in said:
        data = packet.encode() if isinstance(packet, str) else packet
        head = [isinstance(packet, bytes), *map(int, str(len(data))), 255]
        found += bytes(head) + data
    return found


OCTETS = {"Content_Type": "application/octet-stream"}
ECHO = '451-/custom,1["echo",{"_placeholder":true,"num":0}]'
ECHOED = '461-/custom,1[{"_placeholder":true,"num":0}]'


@pytest.mark.parametrize("more", ["", "&b64="])
def test_binary_over_polling(wide, more):
    """Payload: where one packet of an answer is binary, all of it is."""
    session = OlderPolling(wide, more)
    session.says("40/custom")
    assert session.hears() == ["40/custom,"]
    assert session.post(octets(ECHO, b"\4\0\1\xff"), **OCTETS) == (200, "ok")
    assert fetched_octets(session) == [ECHOED, b"\4\0\1\xff"]
    session.says('42/custom,2["echo"]')
    assert session.hears() == ["43/custom,2[]"]  # text alone stays text


def test_binary_as_base64(wide):
    """Payload, `b64`; a POST may have either form."""
    session = OlderPolling(wide, "&b64=1")
    session.says("40/custom")
    session.poll()
    for said in (payload(ECHO, "b4AAH/"), octets(ECHO, b"\4\0\1\xff")):
        assert session.post(said, **(OCTETS if said[0] < 2 else {})) == (200, "ok")
        assert session.poll() == (200, payload(ECHOED, "b4AAH/").decode())


MALFORMED_OCTETS = [b"", b"\0\2\xff6", b"\0\xff6", b"\2\1\xff6", b"\0" + b"\x09" * 11 + b"\xff6"]


@pytest.mark.parametrize("body", [*MALFORMED_OCTETS, b"\1\1\xff6", b"\1\2\xff\2x", b"1:6"])
def test_malformed_octets_close_it(here, body):
    session = OlderPolling(here)
    assert session.post(body, **OCTETS)[0] == 400
    assert session.poll() == (400, error(1, "Session ID unknown"))


@pytest.mark.parametrize(
    ("more", "opcode", "data"), [("", BINARY, b"\4\0\1"), ("&b64=1", TEXT, b"b4AAE=")]
)
def test_binary_over_websocket(wide, more, opcode, data):
    """Packet: its first byte is the type; with `b64` a text frame. Both are taken."""
    client = OlderWebSocket(wide, more=more)
    client.send("40/custom")
    client.texts("40/custom")
    for said in (b"\4\0\1", "b4AAE="):
        client.send(ECHO)
        client.send(said)
        assert client.text() == ECHOED
        assert client.frame() == (opcode, data)
    client.close()


@pytest.mark.parametrize("data", [b"", b"\0\1", b"\2", b"\6"])
def test_binary_that_is_no_message_closes_it(client, data):
    client.send_raw(frame(data, BINARY))
    assert client.close_code() == 1000


def test_a_binary_broadcast_reaches_each_in_its_form(wide):
    """Engine.IO 4 has no first byte; text broadcasts are the same bytes for all."""
    hearers = [OlderWebSocket(wide), RawWebSocket(wide), OlderWebSocket(wide, more="&b64=1")]
    polling, now = OlderPolling(wide), Polling(wide)
    for hearer in hearers:
        hearer.send("40/custom,")
        hearer.texts("40/custom")
    for session in (polling, now):
        session.post(b"10:40/custom," if session is polling else "40/custom,")
        session.poll()
    hearers[0].send('451-/custom,["tell",{"_placeholder":true,"num":0}]')
    hearers[0].send(b"\4\1\2")
    hearers[0].send('42/custom,["tell","text"]')
    forms = [(BINARY, b"\4\1\2"), (BINARY, b"\1\2"), (TEXT, b"b4AQI=")]
    told = '451-/custom,["told",{"_placeholder":true,"num":0}]'
    for hearer, form in zip(hearers, forms, strict=True):
        assert hearer.text() == told
        assert hearer.frame() == form
        assert hearer.text() == '42/custom,["told","text"]'
        hearer.close()
    assert fetched_octets(polling)[:2] == [told, b"\4\1\2"]
    assert now.poll()[1].split("\x1e")[:2] == [told, "bAQI="]


# Upgrade


def upgraded(server, session: OlderPolling) -> OlderWebSocket:
    client = OlderWebSocket(server, session.path.replace("polling", "websocket"))
    client.send("2probe")
    assert client.text() == "3probe"
    client.send("5")
    return client


def test_upgrade(server):
    """Transport upgrading: probe, noop to the waiting poll, upgrade; what waited comes first."""
    session = OlderPolling(server)
    waiting, answers = session.starts_polling()
    client = OlderWebSocket(server, session.path.replace("polling", "websocket"))
    client.send("2probe")
    assert client.text() == "3probe"
    waiting.join(10)
    assert answers == [(200, "1:6")]
    session.says('421["join"]', f'422["setUsername","Up {EMOJI}"]')
    client.send("5")
    assert client.text().startswith("431")
    assert client.text() == f'42["userSet","Up {EMOJI}"]'
    client.send("2")
    assert "3" in client.texts("3")
    assert session.poll() == (400, error(3, "Bad request"))
    client.close()


@pytest.mark.parametrize("messages", [["2"], ["5"], ["3probe"], ["2probe", "x"], [""]])
def test_a_bad_probe_leaves_the_session_to_polling(here, messages):
    session = OlderPolling(here)
    client = OlderWebSocket(here, session.path.replace("polling", "websocket"))
    for message in messages:
        client.send(message)
    assert client.close_code() == 1007
    assert session.says('421["join"]') == (200, "ok")
    assert session.hears()[0].startswith("431")


def test_a_refused_websocket_is_http(here):
    """Reference: abortUpgrade."""
    assert refused_upgrade(here, WEBSOCKET + "&sid=unknown") == (400, "Session ID unknown")


# Closing


def test_the_client_closes_over_polling(server):
    """Packet, close: the waiting poll ends with a noop."""
    session = OlderPolling(server)
    session.says('42["setUsername","Closer"]')
    session.poll()
    waiting, answers = session.starts_polling()
    assert session.says("1") == (200, "ok")
    waiting.join(10)
    assert answers == [(200, "1:6")]
    assert session.poll() == (400, error(1, "Session ID unknown"))
    name_is_free(server, "Closer")


def test_the_client_closes_over_websocket(client):
    client.send("1")
    assert client.close_code() == 1000


def test_a_second_poll_at_once(server):
    """Reference: "overlap from client": the first ends with a close, the second is refused."""
    session = OlderPolling(server)
    waiting, first = session.starts_polling()
    assert session.poll() == (400, "")
    waiting.join(10)
    assert first == [(200, "1:1")]
    assert session.poll() == (400, error(1, "Session ID unknown"))


def test_a_second_post_at_once(here):
    session = OlderPolling(here)
    with socket.create_connection(("127.0.0.1", here.port), timeout=15) as link:
        head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"
        link.sendall(head.encode())
        time.sleep(0.3)
        assert session.says("6")[0] == 400
        assert session.poll() == (400, error(1, "Session ID unknown"))


def test_a_poll_that_hangs_up_is_noticed(here):
    session = OlderPolling(here)
    session.says('42["setUsername","Hung up"]')
    session.poll()
    with socket.create_connection(("127.0.0.1", here.port), timeout=15) as link:
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
    eventually(lambda: not session.is_alive(), within=4)
    name_is_free(here, "Hung up")


def test_an_answer_to_head_has_no_body(here):
    answer = exchange(
        here, f"HEAD {BASE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.endswith(b"\r\n\r\n")


def test_a_server_that_stops_closes_at_the_transport(tmp_path):
    """docs/wire.md, Held names: so that clients come back by themselves."""
    server = Server("gunicorn", tmp_path, UNLIMITED)
    session, client = OlderPolling(server), OlderWebSocket(server)
    waiting, answers = session.starts_polling()
    server.signal()
    assert client.close_code() == 1000
    waiting.join(10)
    assert answers == [(200, "1:1")]
    assert server.stop() == 0


# Socket.IO


def test_nobody_need_connect(serve):
    """The time limit for CONNECT counts as met."""
    client = OlderWebSocket(serve("gunicorn", **UNLIMITED))
    client.sock.settimeout(12)
    begun = time.monotonic()
    client.send_raw(frame(b"", 9))
    assert client.frame() == (10, b"")
    with pytest.raises(TimeoutError):
        client.sock.recv(1)
    assert time.monotonic() - begun > 11
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


def test_another_namespace(wide):
    """CONNECT: `/` first; the path is the name, the query what later became auth. Reference: the id
    is the Engine.IO sid behind the namespace's name."""
    client = OlderWebSocket(wide)
    client.send("40/custom?token=a%2Cb&x=,")
    assert client.text() == "40/custom,"
    client.send('42/custom,1["who"]')
    assert json.loads(client.text().removeprefix("43/custom,1")) == [
        {"id": f"/custom#{client.opening['sid']}", "auth": {"token": "a,b", "x": ""}}
    ]
    client.send('42/custom,7["echo",1,{"a":"é"}]')
    assert client.text() == '43/custom,7[1,{"a":"é"}]'
    client.send('42/custom?token=b,8["echo"]')
    assert client.text() == "43/custom,8[]"
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


@pytest.mark.parametrize(
    ("query", "told"), [("refuse=why", '{"why":"why"}'), ("refuse=", '"refused"')]
)
def test_a_refusal_is_raw(wide, query, told):
    """ERROR: the data, or else the words; the connection stays."""
    client = OlderWebSocket(wide)
    client.send(f"40/custom?{query}")
    assert client.text() == f"44/custom,{told}"
    client.send("40/custom")
    assert client.text() == "40/custom,"
    client.close()


def test_an_unknown_namespace(client):
    """Reference: in today's form, without the query."""
    client.send("40/unknown?a=b,")
    assert client.text() == '44/unknown,{"message":"Invalid namespace"}'
    client.send('421["join"]')
    assert client.text().startswith("431")


def test_a_second_connect_closes_it(here, client):
    """Reference: Client.ondecoded."""
    client.send("40")
    assert client.close_code() == 1000


@pytest.mark.parametrize("packet", ['42/other,["join"]', '42/?x,["a"]x', "44", "431", "40[]"])
def test_what_is_malformed_closes_it(client, packet):
    client.send(packet)
    assert client.close_code() == 1000


def test_disconnect_frees_the_name_and_the_client_may_come_back(here, client):
    """DISCONNECT is `41`; the connection stays."""
    client.send('421["setUsername","Goodbye"]')
    client.texts("431")
    client.send("41")
    client.send("40")
    assert client.text() == "40"
    name_is_free(here, "Goodbye")


def test_the_server_disconnects(wide):
    client = OlderWebSocket(wide)
    client.send("40/custom")
    client.texts("40/custom")
    client.send('42/custom,["go"]')
    assert client.text() == "41/custom,"
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


def test_acknowledgements_go_both_ways(wide):
    """ACK."""
    client = OlderWebSocket(wide)
    client.send("40/custom")
    client.texts("40/custom")
    client.send('42/custom,["ask"]')
    assert client.text() == '42/custom,1["asked"]'
    client.send('43/custom,1["yes",2]')
    assert client.text() == '42/custom,["answered","yes",2]'
    client.close()


def test_binary_events_are_refused_as_elsewhere(client):
    """docs/wire.md, Refusals."""
    client.send('451-1["msg",{"message":{"_placeholder":true,"num":0}}]')
    client.send(b"\4\0\1")
    texts = client.texts("431")
    assert "bad_request" in texts[-1]
    assert texts[0].startswith('42["refused"')


def test_what_the_oldest_clients_know(here):
    """docs/wire.md, Older clients; beside one of today."""
    older, newer, polling = OlderWebSocket(here), RawWebSocket(here), OlderPolling(here)
    older.send('42["setUsername","Oldest"]')
    assert older.text() == '42["userSet","Oldest"]'
    polling.says('42["setUsername","OLDEST"]')
    sentence = "OLDEST username is taken! Try some other username."
    assert f'42["userExists","{sentence}"]' in polling.hears()
    older.send(f'42["msg",{{"message":"{EMOJI}","user":"?"}}]')
    heard = [older.texts('42["newmsg"')[-1], newer.texts('42["newmsg"')[-1]]
    while not (found := [text for text in polling.hears() if text.startswith('42["newmsg"')]):
        pass
    heard += found
    assert len(set(heard)) == 1
    assert json.loads(heard[0][2:])[1] == {"user": "Oldest", "message": EMOJI}
    older.close()
    newer.texts('42["userLeft"')
    newer.close()


# The payloads of the clients themselves

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


def test_payloads_are_those_of_the_clients_own_parser():
    """engine.io-parser 2.2, which client 2.3.1 has."""
    from base64 import b64decode, b64encode

    from engineio import packet as engineio_packet
    from engineio.packet import Packet

    said: list[str | bytes] = ["2[1]", f"é{EMOJI}\uffff中", b"\0\1\xff", "", b"", "x" * 300]
    made = [
        eio3.Binary(data, base64=False)
        if isinstance(data, bytes)
        else Packet(engineio_packet.MESSAGE, data)
        for data in said
    ]
    as_text, as_octets = "".join(map(eio3.text, made)).encode(), b"".join(map(eio3.octets, made))
    in_json = [{"b64": b64encode(d).decode()} if isinstance(d, bytes) else d for d in said]
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


def test_the_log_shows_no_error(server):
    assert "Traceback" not in server.log.read_text()
