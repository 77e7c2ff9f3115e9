"""Engine.IO 4: HTTP long polling, with raw requests to each kind of server.

Section names are those of the protocol's document (socketio/engine.io-protocol, v4). Where it is
silent, docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import socket
import time

import pytest
from support.raw import (
    BASE,
    Polling,
    RawWebSocket,
    assert_name_is_free,
    error_body,
    eventually,
    exchange,
    request,
)
from support.servers import UNLIMITED


def test_post_is_answered_with_ok(server):
    """HTTP long-polling."""
    session = Polling(server)
    status, headers, body = request(server, "POST", session.path, b'42["nonsense"]')
    assert (status, body, headers["content-type"]) == (200, "ok", "text/html")


def test_packets_of_one_body_are_answered_in_order(server):
    """Packet encoding, HTTP long-polling: packets are joined by U+001E."""
    session = Polling(server)
    assert session.post('421["join"]\x1e422["nonsense"]\x1e3') == (200, "ok")
    answers = session.poll()[1].split("\x1e")
    assert [answer[:3] for answer in answers] == ["431", "42[", "432"]


def test_body_of_40_events_is_answered_in_order(server):
    session = Polling(server)
    packets = [f'42{n}["nonsense"]' for n in range(40)]
    assert session.post("\x1e".join(packets)) == (200, "ok")
    answers = []
    while len(answers) < 80:
        status, body = session.poll()
        assert status == 200
        received = body.split("\x1e")
        assert len(received) <= 16
        answers += received
    assert [a[2:].split("[")[0] for a in answers if a.startswith("43")] == [
        str(n) for n in range(40)
    ]


def test_base64_packet_is_decoded_as_attachment(server):
    """Packet encoding, HTTP long-polling: binary is `b` and base64."""
    session = Polling(server)
    assert session.post('451-7["msg",{"_placeholder":true,"num":0}]\x1ebAAEC') == (200, "ok")
    assert "binary" in session.poll()[1]


def test_body_over_the_limit_ends_the_session(server):
    """docs/wire.md, Bounds: the response is 413 and ends the session."""
    session = Polling(server)
    assert session.post("4" + "x" * 65536)[0] == 413
    assert not session.is_alive()


def test_body_at_the_limit_is_accepted(server):
    session = Polling(server)
    message = '42["nonsense","' + "x" * (65536 - 17) + '"]'
    assert len(message) == 65536
    assert session.post(message) == (200, "ok")


@pytest.mark.parametrize("body", [b"\xff", b'42["\xc3"]', b"4\xed\xa0\x80"])
def test_invalid_utf8_in_a_body_ends_the_session(server, body):
    session = Polling(server)
    assert session.post(body)[0] == 400
    assert not session.is_alive()


def test_binary_body_ends_the_session(server):
    """Reference: protocol 4 has no binary bodies."""
    session = Polling(server)
    assert session.post("3", Content_Type="application/octet-stream")[0] == 400
    assert not session.is_alive()


def test_body_of_another_content_type_is_read_as_text(server):
    """Reference: it compares the whole Content-Type header."""
    session = Polling(server)
    assert session.post("3", Content_Type="application/octet-stream; x=y") == (200, "ok")


@pytest.mark.parametrize("kind", ["gevent-websocket", "flask"])
def test_early_response_closes_the_connection(serve, kind):
    """These servers would otherwise read the rest of the body, which gunicorn limits itself."""
    head = f"POST {BASE}&sid=unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3"
    begun = time.monotonic()
    answer = exchange(serve(kind, **UNLIMITED), head.encode())
    assert b"\r\nConnection: close\r\n" in answer
    assert time.monotonic() - begun < 5


CHUNKED = {
    "no length": b"x\r\n3\r\n0\r\n\r\n",
    "an empty length": b"\r\n3\r\n0\r\n\r\n",
    "a negative length": b"-1\r\n3\r\n0\r\n\r\n",
    "a chunk longer than its length": b"1\r\n33\r\n0\r\n\r\n",
    "a malformed chunk after a valid one": b"1\r\n3\r\nx\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", CHUNKED)
def test_malformed_chunked_body_ends_the_session(server, body):
    """RFC 9112, section 7.1; docs/wire.md, Bounds: the response is 400 and ends the session."""
    session = Polling(server)
    head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(server, head.encode() + CHUNKED[body]).startswith(b"HTTP/1.1 400")
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


@pytest.mark.parametrize("length", ["-1", "x", "1_0", "9" * 5000])
def test_invalid_content_length_is_refused(server, length):
    session = Polling(server)
    head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    assert exchange(server, head.encode() + b"3").split()[1] in (b"400", b"413")
    assert "Traceback" not in server.log.read_text() or server.kind == "gevent-websocket"


def test_concurrent_post_ends_the_session(server):
    """Reference: "data request overlap from client"."""
    session = Polling(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4"
        link.sendall(head.encode())
        time.sleep(0.3)
        assert session.post("3")[0] == 400
        assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_chunked_body_is_accepted(server):
    session = Polling(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        head = f"POST {session.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        link.sendall(head.encode() + b'c\r\n421["nonsens\r\n3\r\ne"]\r\n0\r\n\r\n')
        assert link.recv(4096).startswith(b"HTTP/1.1 200")
    assert "431" in session.poll()[1]


def test_close_packet_answers_the_waiting_poll_and_ends_the_session(server):
    """Packet type close."""
    session = Polling(server)
    waiting, answers = session.start_poll()
    assert session.post("1") == (200, "ok")
    waiting.join(10)
    assert answers == [(200, "6")]
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


def test_packets_after_a_close_packet_are_ignored(server):
    session = Polling(server)
    watcher = RawWebSocket(server)
    session.post('42["setUsername","Gone"]\x1e1\x1e42["msg",{"message":"late"}]')
    texts = watcher.receive_until('42["userLeft"')
    assert not [text for text in texts if "late" in text]
    watcher.close()


def test_disconnected_poll_ends_the_session(server):
    session = Polling(server)
    session.post('42["setUsername","Hung up"]')
    session.poll()
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
    eventually(lambda: not session.is_alive(), within=4)
    assert_name_is_free(server, "Hung up")


def test_disconnected_poll_ends_the_session_when_a_message_is_sent(server):
    session, sender = Polling(server), RawWebSocket(server)
    sender.send('421["setUsername","Sender"]')
    sender.receive_until("431")
    session.post('42["setUsername","Poller"]')
    eventually(lambda: "userSet" in session.poll()[1])
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.2)
    sender.send('422["msg",{"message":"there?"}]')
    begun = time.monotonic()
    texts = sender.receive_until('42["userLeft"')
    assert "Poller" in texts[-1]
    assert time.monotonic() - begun < 4
    sender.close()


def test_connection_close_is_honoured(server):
    """RFC 9112, section 9.6."""
    session = Polling(server)
    head = f"GET {BASE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange(server, head.encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"\r\nConnection: close\r\n" in answer
    assert session.is_alive()
