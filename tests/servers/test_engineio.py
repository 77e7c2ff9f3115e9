"""Engine.IO, protocol 4, rule by rule, over each kind of server.

Sections are those of the protocol's document (socketio/engine.io-protocol, v4); where it is silent,
docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import http.client
import json
import socket
import time

import pytest
from raw import Polling, RawWebSocket, eventually, handshake, request

BASE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def quick(request_kind, serve):
    """A server that pings every half second."""
    return serve(
        request_kind, PING_INTERVAL="0.5", PING_TIMEOUT="0.4", MESSAGE_LIMIT="", EVENT_LIMIT=""
    )


@pytest.fixture(params=["gunicorn", "gevent-websocket", "flask"])
def request_kind(request) -> str:
    return request.param


def error(code: int, message: str) -> str:
    return json.dumps({"code": code, "message": message}, separators=(",", ":"))


REFUSED = [
    # Reference: Server.verify and Server.errors
    ("GET", "/socket.io/", 400, error(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4", 400, error(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4&transport=", 400, error(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4&transport=tcp", 400, error(0, "Transport unknown")),
    ("GET", "/socket.io/?EIO=4&transport=webtransport", 400, error(0, "Transport unknown")),
    ("GET", BASE + "&transport=polling", 400, error(0, "Transport unknown")),
    ("GET", BASE + "&sid=unknown", 400, error(1, "Session ID unknown")),
    ("GET", BASE + "&sid=%00%ff", 400, error(1, "Session ID unknown")),
    ("GET", BASE + "&sid=a&sid=b", 400, error(1, "Session ID unknown")),
    ("POST", BASE + "&sid=unknown", 400, error(1, "Session ID unknown")),
    ("POST", BASE, 400, error(2, "Bad handshake method")),
    ("HEAD", BASE, 400, ""),
    ("GET", "/socket.io/?EIO=4&transport=websocket", 400, error(3, "Bad request")),
    ("GET", BASE + "&j=0", 400, error(3, "Bad request")),
    *[
        ("GET", f"/socket.io/?transport=polling{version}", 400, error(5, VERSION))
        for VERSION in ["Unsupported protocol version"]
        for version in ["", "&EIO=3", "&EIO=5", "&EIO=44", "&EIO=", "&EIO=x", "&EIO=4&EIO=4"]
    ],
    ("PUT", BASE, 405, None),
    ("DELETE", BASE, 405, None),
    ("PATCH", BASE, 405, None),
]


@pytest.mark.parametrize(("method", "path", "status", "body"), REFUSED)
def test_refused_requests(server, method, path, status, body):
    """Handshake; reference server: Server.verify."""
    answer = request(server, method, path)
    assert answer[0] == status
    if body is not None:
        assert answer[2] == body
    if status == 405:
        assert "GET" in answer[1]["allow"]


def test_handshake(server):
    """Handshake: the open packet and its fields."""
    status, headers, body = request(server, "GET", BASE)
    assert (status, headers["content-type"]) == (200, "text/plain; charset=UTF-8")
    assert headers["cache-control"] == "no-store"
    opening = json.loads(body[1:])
    assert body[0] == "0"
    assert opening.pop("sid")
    assert opening == {
        "upgrades": ["websocket"],
        "pingInterval": 20000,
        "pingTimeout": 10000,
        "maxPayload": 65536,
    }


def test_handshake_over_websocket(server):
    """Handshake: over WebSocket there's nothing to upgrade to."""
    client = RawWebSocket(server)
    assert client.opening["upgrades"] == []
    client.close()


def test_fractional_intervals_are_exact(quick):
    """Heartbeat: the server pings after pingInterval, both transports."""
    assert Polling(quick).opening["pingInterval"] == 500
    client = RawWebSocket(quick, connect=False)
    opening = json.loads(client.text()[1:])
    assert (opening["pingInterval"], opening["pingTimeout"]) == (500, 400)
    begun = time.monotonic()
    assert client.frame() == (1, b"2")
    assert 0.45 < time.monotonic() - begun < 0.8
    client.close()


def test_sids_differ(server):
    assert len({Polling(server, connect=False).opening["sid"] for _ in range(20)}) == 20


def test_post_is_answered_ok(server):
    """HTTP long-polling: a POST is answered with ok."""
    session = Polling(server)
    status, headers, body = request(server, "POST", session.path, b'42["nonsense"]')
    assert (status, body, headers["content-type"]) == (200, "ok", "text/html")


def test_several_packets_in_one_body(server):
    """Packet encoding, HTTP long-polling: packets are joined by U+001E."""
    session = Polling(server)
    assert session.post('421["join"]\x1e422["nonsense"]\x1e3') == (200, "ok")
    answers = session.poll()[1].split("\x1e")
    assert [answer[:3] for answer in answers] == ["431", "42[", "432"]


def test_many_packets_in_one_body_are_all_taken(server):
    session = Polling(server)
    packets = [f'42{n}["nonsense"]' for n in range(40)]
    assert session.post("\x1e".join(packets)) == (200, "ok")
    answers = []
    while len(answers) < 80:
        received = session.poll()[1].split("\x1e")
        assert len(received) <= 16
        answers += received
    assert [a[2:].split("[")[0] for a in answers if a.startswith("43")] == [
        str(n) for n in range(40)
    ]


def test_a_binary_message_travels_as_base64(server):
    """Packet encoding, HTTP long-polling: binary is `b` and base64."""
    session = Polling(server)
    assert session.post('451-7["msg",{"_placeholder":true,"num":0}]\x1ebAAEC') == (200, "ok")
    assert "binary" in session.poll()[1]


MALFORMED = [
    # Packet encoding: no packet, no type, no base64; Socket.IO's packets in theirs
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
        "43[]",
        "431",
        "431{}",
        "44",
        '44{"a":1}',
    ],
    *["45", "451-", '45["a"]', '4511-["a"]', '45999999999-["a"]', "451-[]", "46", '46["a"]'],
    *['42["a",NaN]', '42["a",Infinity]', "42[" * 5000, '42["a"]\x1ex', "4null", "4[]", '4"2"'],
    *["420x[]", "42/x"],
]


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_packets_over_polling(server, body):
    """docs/wire.md, Bounds: 400, and the session ends with that answer."""
    session = Polling(server)
    assert session.post('420["setUsername","Malformed"]')[0] == 200
    assert session.post(body)[0] == 400
    assert session.poll() == (400, error(1, "Session ID unknown"))
    name_is_free(server, "Malformed")


@pytest.mark.parametrize("message", [m for m in MALFORMED if "\x1e" not in m and m])
def test_malformed_packets_over_websocket(server, message):
    """docs/wire.md, Bounds: closed, and its name is free at once."""
    client = RawWebSocket(server)
    client.send('420["setUsername","Malformed"]')
    client.texts("430")
    client.send(message)
    assert client.close_code() == 1000
    name_is_free(server, "Malformed")


def test_an_empty_message_over_websocket(server):
    client = RawWebSocket(server)
    client.send("")
    assert client.close_code() == 1000


def name_is_free(server, name: str) -> None:
    other = RawWebSocket(server)
    other.send(f'420["setUsername","{name}"]')
    assert '"ok":true' in other.texts("430")[-1]
    other.close()


def test_a_body_over_the_limit(server):
    """docs/wire.md, Bounds: HTTP 413, and the session ends."""
    session = Polling(server)
    assert session.post("4" + "x" * 65536)[0] == 413
    assert not session.is_alive()


def test_a_body_at_the_limit(server):
    session = Polling(server)
    message = '42["nonsense","' + "x" * (65536 - 17) + '"]'
    assert len(message) == 65536
    assert session.post(message) == (200, "ok")


@pytest.mark.parametrize("body", [b"\xff", b'42["\xc3"]', b"4\xed\xa0\x80"])
def test_invalid_utf8_in_a_body(server, body):
    session = Polling(server)
    assert session.post(body)[0] == 400
    assert not session.is_alive()


def test_a_binary_body(server):
    """Reference: protocol 4 has no binary bodies."""
    session = Polling(server)
    assert session.post("3", Content_Type="application/octet-stream")[0] == 400
    assert not session.is_alive()


def test_a_chunked_body(server):
    session = Polling(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        link.sendall(head.encode() + b'c\r\n421["nonsens\r\n3\r\ne"]\r\n0\r\n\r\n')
        assert link.recv(4096).startswith(b"HTTP/1.1 200")
    assert "431" in session.poll()[1]


def test_a_second_poll_at_once(server):
    """Reference: "overlap from client", the session ends; so do both polls."""
    session = Polling(server)
    waiting, first = session.starts_polling()
    assert session.poll()[0] == 400
    waiting.join(10)
    assert len(first) == 1
    assert not session.is_alive()


def test_the_client_closes(server):
    """Packet type close: the waiting poll is answered, the session is gone."""
    session = Polling(server)
    waiting, answers = session.starts_polling()
    assert session.post("1") == (200, "ok")
    waiting.join(10)
    assert answers == [(200, "6")]
    assert session.poll() == (400, error(1, "Session ID unknown"))


def test_a_close_packet_over_websocket(server):
    client = RawWebSocket(server)
    client.send("1")
    assert client.close_code() == 1000


def test_packets_after_close_are_not_taken(server):
    session = Polling(server)
    watcher = RawWebSocket(server)
    session.post('42["setUsername","Gone"]\x1e1\x1e42["msg",{"message":"late"}]')
    texts = watcher.texts('42["userLeft"')
    assert not [text for text in texts if "late" in text]
    watcher.close()


@pytest.mark.parametrize("packet", ["0", "5", "6", "3"])
def test_packets_without_meaning_here_are_ignored(server, packet):
    """Reference: Socket.onPacket has no case for these."""
    client = RawWebSocket(server)
    client.send(packet)
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


def test_a_silent_client_is_closed(quick):
    """Heartbeat: no pong within pingTimeout."""
    client = RawWebSocket(quick)
    client.send('420["setUsername","Silent"]')
    client.texts("430")
    begun = time.monotonic()
    assert client.frame() == (1, b"2")
    assert client.close_code() == 1000
    assert 0.3 < time.monotonic() - begun < 1.5
    name_is_free(quick, "Silent")


def test_a_client_that_answers_pings_lives(quick):
    client = RawWebSocket(quick)
    for _ in range(4):
        assert client.frame() == (1, b"2")
        client.send("3")
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()


def test_pings_over_polling(quick):
    session = Polling(quick)
    for _ in range(3):
        assert session.poll() == (200, "2")
        session.post("3")
    session.poll()
    time.sleep(0.8)
    assert not session.is_alive()


def test_a_client_that_never_polls_is_closed(quick):
    """docs/wire.md, Bounds: it hasn't polled for the ping interval and timeout together."""
    session = Polling(quick)
    begun = time.monotonic()
    while session.is_alive():
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    assert time.monotonic() - begun > 0.7


def test_a_polling_client_that_hangs_up_is_noticed(server):
    session = Polling(server)
    session.post('42["setUsername","Hung up"]')
    session.poll()
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
    eventually(lambda: not session.is_alive(), within=4)
    name_is_free(server, "Hung up")


def test_connection_close_is_kept(server):
    session = Polling(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        head = f"GET {BASE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        link.sendall(head.encode())
        received = b""
        while data := link.recv(4096):
            received += data
    assert received.startswith(b"HTTP/1.1 200")
    assert session.is_alive()


def upgrade_path(session: Polling) -> str:
    return session.path.replace("polling", "websocket")


def test_upgrade(server):
    """Upgrade: probe, pong, noop to the waiting poll, upgrade; what waited comes first."""
    session = Polling(server)
    waiting, answers = session.starts_polling()
    client = RawWebSocket(server, connect=False, path=upgrade_path(session))
    client.send("2probe")
    assert client.text() == "3probe"
    waiting.join(10)
    assert answers == [(200, "6")]
    session.post('421["join"]')
    client.send("5")
    assert client.text().startswith("431")
    client.send('422["join"]')
    assert client.text().startswith("432")
    assert session.poll() == (400, error(3, "Bad request"))
    assert session.post("3") == (400, error(3, "Bad request"))
    client.send('423["join"]')
    assert client.text().startswith("433")
    client.close()


@pytest.mark.parametrize(
    "messages", [["2"], ["5"], ["x"], ["2probe", "2probe"], ["2probe", "x"], [""]]
)
def test_a_bad_probe_leaves_the_session_to_polling(server, messages):
    """Upgrade; reference: Socket.maybeUpgrade closes the new transport only."""
    session = Polling(server)
    client = RawWebSocket(server, connect=False, path=upgrade_path(session))
    for message in messages:
        client.send(message)
    assert client.close_code() is not None
    assert session.post('421["join"]') == (200, "ok")
    assert session.poll()[1].startswith("431")


def test_a_probe_that_breaks_leaves_the_session_to_polling(server):
    session = Polling(server)
    client = RawWebSocket(server, connect=False, path=upgrade_path(session))
    client.send("2probe")
    assert client.text() == "3probe"
    client.close()
    session.post('421["join"]')
    eventually(lambda: session.poll()[1].startswith("431"))


def refused_upgrade(server, path: str) -> tuple[int, str]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(handshake(server, path))
        answer = http.client.HTTPResponse(link)
        answer.begin()
        return answer.status, answer.read().decode()


def test_refused_upgrades(server):
    """Reference: abortUpgrade answers 400 with the error's words."""
    session = Polling(server)
    client = RawWebSocket(server)
    taken = f"/socket.io/?EIO=4&transport=websocket&sid={client.opening['sid']}"
    for path, words in {
        "/socket.io/?EIO=4&transport=websocket&sid=unknown": "Session ID unknown",
        "/socket.io/?EIO=3&transport=websocket": "Unsupported protocol version",
        "/socket.io/?EIO=4&transport=polling": "Bad request",
        "/socket.io/?EIO=4&transport=x": "Transport unknown",
        taken: "Bad request",
    }.items():
        assert refused_upgrade(server, path) == (400, words)
    client.send('421["join"]')
    assert client.text().startswith("431")
    client.close()
    assert session.is_alive()


def test_cors_preflight(serve):
    """Fetch, CORS protocol."""
    server = serve("gunicorn", ALLOWED_ORIGINS="https://a.example")
    asked = {
        "Origin": "https://a.example",
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type",
    }
    status, headers, _ = request(server, "OPTIONS", BASE, **asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://a.example"
    assert headers["access-control-allow-headers"] == "content-type"
    assert headers["access-control-allow-credentials"] == "true"
    assert "POST" in headers["access-control-allow-methods"]
    assert request(server, "OPTIONS", BASE, **asked | {"Origin": "https://b.example"})[0] == 403


def test_the_log_shows_no_error(server, quick):
    for each in (server, quick):
        assert "Traceback" not in each.log.read_text()
