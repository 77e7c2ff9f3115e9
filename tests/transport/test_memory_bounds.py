"""Memory for what clients send is bounded, and none of their strings is interned."""

from __future__ import annotations

import socket
import sys
import threading

import pytest
from support.raw import RawWebSocket, handshake, request
from werkzeug.serving import make_server

from chatapp import create_app
from chatapp.transport.sio import environ

MARK = "mallory"
"""A part of each string that the client makes up."""


@pytest.fixture
def served():
    """The chat, served by this process on `port`."""
    app = create_app({"TESTING": True, "HOSTS": [f"{MARK}-{n}" for n in range(3)]})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def interned(monkeypatch) -> list[str]:
    """The strings that are interned from now on."""
    found: list[str] = []
    intern = sys.intern

    def watched(text: str) -> str:
        found.append(text)
        return intern(text)

    monkeypatch.setattr(sys, "intern", watched)
    return found


class Mallory(RawWebSocket):
    """A client whose handshake has headers that no other client has."""

    def __init__(self, server, number: int) -> None:
        own = f"{MARK}-{number}"
        headers = {
            **{"User-Agent": own, "Accept-Language": own, "Cookie": f"{own}={own}"},
            **{"Authorization": own, "X-Forwarded-For": own, f"X-{own}": own},
            **{"Origin": f"http://{own}:{server.port}", "Referer": own},
        }
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        path = f"/socket.io/?EIO=4&transport=websocket&{own}={own}"
        opening = handshake(server, path, headers=more).replace(
            b"Host: 127.0.0.1", f"Host: {own}".encode()
        )
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=15)
        self.send_raw(opening)
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            received = self.sock.recv(4096)
            assert received, self.buffer
            self.buffer += received
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        assert self.receive_text().startswith('0{"sid"')


def test_no_string_of_a_client_is_interned(served, interned):
    """Python 3.12 never frees an interned string."""
    for n in range(3):
        own = f"{MARK}-{n}"
        client = Mallory(served, n)
        for packet in (f'40/{own},{{"{own}":"{own}"}}', f'40{{"{own}":"{own}"}}'):
            client.send(packet)
            client.receive_until("4")
        client.send(f'420["setUsername","{own}",{{"token":"{own}","hold":true,"{own}":"{own}"}}]')
        assert '"ok":true' in client.receive_until("430")[-1]
        client.send(f'421["join",{{"room":"{own}","{own}":1}}]')
        assert '"ok":true' in client.receive_until("431")[-1]
        client.send(f'422["msg",{{"room":"{own}","message":"{own}","key":"{own}","{own}":1}}]')
        assert '"ok":true' in client.receive_until("432")[-1]
        for number, event in enumerate(("history", "typing", "leave"), start=3):
            client.send(f'42{number}["{event}",{{"room":"{own}","{own}":1}}]')
            assert '"ok":true' in client.receive_until(f"43{number}")[-1]
        keys = ",".join(f'"{own}-{key}":{key}' for key in range(200))
        client.send(f'426["{own}",{{{keys}}}]')
        assert '"unknown_event"' in client.receive_until("436")[-1]
        client.send(f'451-["{own}",{{"_placeholder":true,"num":0}}]')
        client.send(own.encode())
        client.send("41")
        client.close()
        path = f"/socket.io/?EIO=4&transport=polling&t={own}"
        assert request(served, "GET", path, User_Agent=own, Accept_Language=own)[0] == 200
        assert request(served, "GET", f"/r/{own}", Accept_Language=own)[0] == 200
    sys.intern("here " + MARK)
    assert [text for text in interned if MARK in text] == ["here " + MARK]


def test_sessions_share_equal_header_values():
    values = [" ".join(["Mozilla/5.0", "(X11; Linux x86_64)"]) for _ in range(2)]
    assert values[0] is not values[1]
    assert environ.shared(values[0]) is environ.shared(values[1])


def test_shared_values_are_bounded_in_count_and_length():
    for n in range(2 * environ.MAX_SHARED):
        environ.shared(f"{MARK}-{n}")
    assert environ._first.cache_info().currsize == environ.MAX_SHARED
    longest, longer = ("x" * (environ.MAX_SHARED_CHARS + n) for n in (0, 1))
    before = environ._first.cache_info()
    assert environ.shared(longer) is longer
    assert environ._first.cache_info() == before
    environ.shared(longest)
    assert environ._first.cache_info().misses == before.misses + 1
