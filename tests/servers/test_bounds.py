"""Limits on connections, queues and requests (docs/wire.md, Bounds and HTTP).

Raw clients exceed the limits under each kind of server.
"""

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
from support.servers import KINDS, UNLIMITED, Server

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


def send_messages(sender: RawWebSocket, messages: list[str]) -> None:
    """Take a name and send messages, each after the acknowledgement of the one before."""
    sender.send('421["setUsername","Sender"]')
    sender.receive_until("431")
    for number, message in enumerate(messages, 2):
        sender.send(f'42{number}["msg",{{"message":"{message}"}}]')
        sender.receive_until(f"43{number}[")


@pytest.mark.parametrize("kind", KINDS)
def test_session_over_the_limit_is_refused(serve, kind):
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
def test_sessions_of_one_address_are_limited(serve, forwarded):
    server = serve("gunicorn", MAX_CONNECTIONS_PER_ADDRESS="2", TRUSTED_PROXIES="1", **UNLIMITED)
    statuses = [
        request(server, "GET", BASE, X_Forwarded_For=address)[0]
        for address in [forwarded] * 3 + ["198.51.100." + forwarded[-1]] + ["127.0.0.1"] * 4
    ]
    assert statuses == [200, 200, 429, 200] + [200] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_slow_consumer_over_websocket_is_closed_without_delaying_others(serve, kind):
    """docs/wire.md, Bounds: 128 KiB are queued, or the client has read nothing for 2 s."""
    server = serve(kind, STORE="memory:", **UNLIMITED)
    slow, sender, watcher = (RawWebSocket(server) for _ in range(3))
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.send('421["setUsername","Slow"]')
    sender.send('421["setUsername","Sender"]')
    slow.receive_until("431")
    sender.receive_until("431")
    max_latency, left = 0.0, False
    for n in range(4000):
        begun = time.monotonic()
        sender.send(f'42{n + 2}["msg",{{"message":"{"x" * 3900}"}}]')
        texts = sender.receive_until(f"43{n + 2}[")
        max_latency = max(max_latency, time.monotonic() - begun)
        watcher.receive_until('42["newmsg"')
        if left := any('"userLeft"' in text for text in texts):
            break
    if not left:  # the kernel's buffers hold all messages, so the 2 s without a read decide
        sender.receive_until('42["userLeft"')
    assert max_latency < 1.5
    for client in (slow, sender, watcher):
        client.close()


def test_session_that_does_not_poll_is_closed_when_its_queue_is_full(serve):
    server = serve("gunicorn", **UNLIMITED)
    slow, sender = Polling(server), RawWebSocket(server)
    send_messages(sender, ["x" * 3900] * 40)
    assert not slow.is_alive()
    sender.close()


@pytest.mark.parametrize("kind", KINDS)
def test_poll_response_has_at_most_16_packets(serve, kind):
    server = serve(kind, **UNLIMITED)
    recipient, sender = Polling(server), RawWebSocket(server)
    send_messages(sender, [str(n) for n in range(50)])
    received: list[str] = []
    while sum("newmsg" in packet for packet in received) < 50:
        status, body = recipient.poll()
        assert status == 200
        packets = body.split("\x1e")
        assert len(packets) <= 16
        received += packets
    texts = [json.loads(packet[2:])[1]["message"] for packet in received if "newmsg" in packet]
    assert texts == [str(n) for n in range(50)]
    sender.close()


@pytest.mark.parametrize("kind", KINDS)
def test_packets_of_a_closed_session_come_16_at_a_time(serve, kind):
    server = serve(kind, EVENT_LIMIT="20/60")
    session = Polling(server)
    session.post("\x1e".join(['42["nonsense"]'] * 60))  # over the rate limit
    packets: list[str] = []
    while packets[-1:] != ["1"]:
        status, body = session.poll()
        assert status == 200
        assert len(body.split("\x1e")) <= 16
        packets += body.split("\x1e")
    assert len(packets) > 32
    assert session.poll() == (400, error_body(1, "Session ID unknown"))


class LateBodies:
    """Requests to a server whose bodies never end, from construction until `check`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sessions = [Polling(server) for _ in range(2)]
        self.sender = RawWebSocket(server)
        length, chunked = "Content-Length: 100", "Transfer-Encoding: chunked"
        event = b'42["msg",{"message":"too late"}]'
        self.sessions[1].post('42["setUsername","Cut off"]')
        self.requests = [
            (f"POST {self.sessions[0].path}", length, b"4", 408),
            (f"POST {self.sessions[1].path}", chunked, b"%x\r\n%b\r\n" % (len(event), event), 408),
            (f"POST {BASE}&sid=unknown", length, b"4", 400),
            (f"POST {BASE}&sid=unknown", chunked, b"1\r\n4\r\n", 400),
            (f"PUT {BASE}", length, b"4", 400),
            (f"GET {BASE}", length, b"4", 200),
        ]
        self.begun = time.monotonic()
        self.links = []
        for line, header, part, _ in self.requests:
            link = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            link.sendall(f"{line} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode() + part)
            self.links.append(link)

    def check(self) -> None:
        """Wait for the responses and check them and the sessions."""
        for link, (line, *_, status) in zip(self.links, self.requests, strict=True):
            with link:
                answer = http.client.HTTPResponse(link)
                answer.begin()
                answer.read()
                assert answer.status == status, (self.server.kind, line)
                with contextlib.suppress(ConnectionError):
                    assert link.recv(4096) == b""
        assert 9 < time.monotonic() - self.begun < 14, self.server.kind
        assert not any(session.is_alive() for session in self.sessions), self.server.kind
        texts = self.sender.receive_until('42["userLeft"')
        assert not [text for text in texts if "too late" in text], self.server.kind
        self.sender.close()


def test_request_body_that_comes_too_late_is_refused(serve):
    """docs/wire.md, Bounds: a request is complete within 10 s after its first byte."""
    servers = [serve(kind, **UNLIMITED) for kind in KINDS]
    for bodies in [LateBodies(server) for server in servers]:
        bodies.check()


def test_request_headers_that_come_too_late_end_the_connection(serve):
    server = serve("gunicorn", **UNLIMITED)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert link.recv(4096) == b""
    assert 5 < time.monotonic() - begun < 14


def test_burst_of_3000_events_is_answered_in_order(serve):
    """docs/wire.md, Bounds: the server doesn't read while 64 events are pending."""
    server = serve("gunicorn", **UNLIMITED)
    client = RawWebSocket(server)
    client.send_raw(b"".join(frame(b'42%d["join",{"limit":1}]' % n) for n in range(3000)))
    assert [client.receive_text().split("[")[0] for _ in range(3000)] == [
        f"43{n}" for n in range(3000)
    ]
    client.close()
