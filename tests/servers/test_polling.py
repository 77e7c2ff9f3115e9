"""Engine.IO, protocol 4: HTTP long polling, over each kind of server.

Sections are those of the protocol's document (socketio/engine.io-protocol, v4); where it is silent,
docs/wire.md and then the reference server (engine.io 6.6) decide.
"""

from __future__ import annotations

import socket
import time

import pytest
from raw import BASE, Polling, RawWebSocket, error, eventually, name_is_free, request


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


def test_packets_after_close_are_not_taken(server):
    session = Polling(server)
    watcher = RawWebSocket(server)
    session.post('42["setUsername","Gone"]\x1e1\x1e42["msg",{"message":"late"}]')
    texts = watcher.texts('42["userLeft"')
    assert not [text for text in texts if "late" in text]
    watcher.close()


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
