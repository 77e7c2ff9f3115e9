"""Bounds in time and number (docs/wire.md, Bounds and HTTP), over each kind of server."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time

import pytest
from support.raw import (
    BASE,
    Polling,
    RawWebSocket,
    error_body,
    eventually,
    frame,
    handshake,
    request,
)
from support.servers import KINDS, UNLIMITED

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


def says(speaker: RawWebSocket, messages: list[str]) -> None:
    """Have `speaker` take a name and say `messages`, each once the one before is acknowledged."""
    speaker.send('421["setUsername","Speaker"]')
    speaker.receive_until("431")
    for number, message in enumerate(messages, 2):
        speaker.send(f'42{number}["msg",{{"message":"{message}"}}]')
        speaker.receive_until(f"43{number}[")


@pytest.mark.parametrize("kind", KINDS)
def test_connection_over_the_limit_is_refused(serve, kind):
    server = serve(kind, MAX_CONNECTIONS="2", **UNLIMITED)
    first, second = RawWebSocket(server), Polling(server)
    status, headers, _ = request(server, "GET", BASE)
    assert status == 429
    assert int(headers["retry-after"]) > 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(handshake(server, WEBSOCKET))
        assert link.recv(4096).startswith(b"HTTP/1.1 429")
    assert server.get("/")[0] == 200
    second.post("1")
    third = RawWebSocket(server)
    first.close()
    third.close()
    eventually(lambda: request(server, "GET", BASE)[0] == 200)


@pytest.mark.parametrize("forwarded", ["203.0.113.7", "2001:db8::1"])
def test_connections_of_one_address_are_limited(serve, forwarded):
    server = serve("gunicorn", MAX_CONNECTIONS_PER_ADDRESS="2", TRUSTED_PROXIES="1", **UNLIMITED)
    statuses = [
        request(server, "GET", BASE, X_Forwarded_For=address)[0]
        for address in [forwarded] * 3 + ["198.51.100." + forwarded[-1]] + ["127.0.0.1"] * 4
    ]
    assert statuses == [200, 200, 429, 200] + [200] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_slow_consumer_over_websocket_is_closed_without_delaying_others(serve, kind):
    """docs/wire.md, Bounds: 128 KiB, or nothing has moved for 2 s."""
    server = serve(kind, **UNLIMITED)
    deaf, speaker, watcher = (RawWebSocket(server) for _ in range(3))
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.send('421["setUsername","Deaf"]')
    speaker.send('421["setUsername","Speaker"]')
    deaf.receive_until("431")
    speaker.receive_until("431")
    slowest, left = 0.0, False
    for n in range(4000):
        begun = time.monotonic()
        speaker.send(f'42{n + 2}["msg",{{"message":"{"x" * 3900}"}}]')
        texts = speaker.receive_until(f"43{n + 2}[")
        slowest = max(slowest, time.monotonic() - begun)
        watcher.receive_until('42["newmsg"')
        if left := any('"userLeft"' in text for text in texts):
            break
    if not left:  # the kernel's buffers have taken all that; it's cut for standing still
        speaker.receive_until('42["userLeft"')
    assert slowest < 1.5
    for client in (deaf, speaker, watcher):
        client.close()


def test_session_that_does_not_poll_is_closed_when_its_queue_is_full(serve):
    server = serve("gunicorn", **UNLIMITED)
    deaf, speaker = Polling(server), RawWebSocket(server)
    says(speaker, ["x" * 3900] * 40)
    assert not deaf.is_alive()
    speaker.close()


@pytest.mark.parametrize("kind", KINDS)
def test_poll_response_has_at_most_16_packets(serve, kind):
    server = serve(kind, **UNLIMITED)
    hearer, speaker = Polling(server), RawWebSocket(server)
    says(speaker, [str(n) for n in range(50)])
    heard: list[str] = []
    while sum("newmsg" in packet for packet in heard) < 50:
        packets = hearer.poll()[1].split("\x1e")
        assert len(packets) <= 16
        heard += packets
    said = [json.loads(packet[2:])[1]["message"] for packet in heard if "newmsg" in packet]
    assert said == [str(n) for n in range(50)]
    speaker.close()


@pytest.mark.parametrize("kind", KINDS)
def test_packets_of_a_closed_session_come_16_at_a_time(serve, kind):
    server = serve(kind, EVENT_LIMIT="20/60")
    session = Polling(server)
    session.post("\x1e".join(['42["nonsense"]'] * 60))  # ends it
    packets: list[str] = []
    while packets[-1:] != ["1"]:
        status, body = session.poll()
        assert status == 200
        assert len(body.split("\x1e")) <= 16
        packets += body.split("\x1e")
    assert len(packets) > 32
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


@pytest.mark.parametrize("kind", KINDS)
def test_request_body_that_comes_too_late_is_refused(serve, kind):
    """docs/wire.md, Bounds: a request not wholly received 10 s after its first byte."""
    server = serve(kind, **UNLIMITED)
    sessions = [Polling(server) for _ in range(2)]
    speaker = RawWebSocket(server)
    length, chunked = "Content-Length: 100", "Transfer-Encoding: chunked"
    event = b'42["msg",{"message":"not taken"}]'
    sessions[1].post('42["setUsername","Cut off"]')
    requests = [
        (f"POST {sessions[0].path}", length, b"4", b"408"),
        (f"POST {sessions[1].path}", chunked, b"%x\r\n%b\r\n" % (len(event), event), b"408"),
        (f"POST {BASE}&sid=unknown", length, b"4", b"400"),
        (f"POST {BASE}&sid=unknown", chunked, b"1\r\n4\r\n", b"400"),
        (f"PUT {BASE}", length, b"4", b"400"),
        (f"GET {BASE}", length, b"4", b"200"),
    ]
    begun, links = time.monotonic(), []
    for line, header, part, _ in requests:
        links.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        links[-1].sendall(f"{line} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode() + part)
    for link, (line, *_, status) in zip(links, requests, strict=True):
        with link:
            answer = http.client.HTTPResponse(link)
            answer.begin()
            answer.read()
            assert str(answer.status).encode() == status, line
            with contextlib.suppress(ConnectionError):
                assert link.recv(4096) == b""
    assert 9 < time.monotonic() - begun < 14
    assert not any(session.is_alive() for session in sessions)
    assert not [text for text in speaker.receive_until('42["userLeft"') if "not taken" in text]
    speaker.close()


def test_request_headers_that_come_too_late_end_the_connection(serve):
    server = serve("gunicorn", **UNLIMITED)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert link.recv(4096) == b""
    assert 5 < time.monotonic() - begun < 14


def test_burst_of_3000_events_is_answered_in_order(serve):
    """docs/wire.md, Bounds: with 64 events waiting, a connection isn't read; nothing is lost."""
    server = serve("gunicorn", **UNLIMITED)
    client = RawWebSocket(server)
    client.send_raw(b"".join(frame(b'42%d["join",{"limit":1}]' % n) for n in range(3000)))
    assert [client.receive_text().split("[")[0] for _ in range(3000)] == [
        f"43{n}" for n in range(3000)
    ]
    client.close()
