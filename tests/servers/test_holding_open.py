"""Limits on open connections and unread responses (docs/wire.md, Bounds).

Raw sockets hold connections open under gunicorn, gevent-websocket and Flask's server.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading

import pytest
from support.chaos.fuzz import count_alive
from support.raw import eventually, request
from support.servers import KINDS, UNLIMITED, Server
from werkzeug.serving import make_server

from chatapp.transport.http import accepting
from chatapp.transport.http.accepting import REFUSAL

GEVENT = ["gunicorn", "gevent-websocket"]
PER_ADDRESS = 2 * 4 + 32


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=15)


@pytest.mark.parametrize("kind", GEVENT)
def test_tcp_connections_of_one_address_are_limited(serve, kind):
    server = serve(kind, MAX_CONNECTIONS_PER_ADDRESS="4", LIMIT_LOOPBACK="1", **UNLIMITED)
    with contextlib.ExitStack() as links:
        held = [links.enter_context(connect(server)) for _ in range(PER_ADDRESS)]
        for link in held:
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        for link in held:
            assert link.recv(4096).startswith(b"HTTP/1.1 200")
        refused = links.enter_context(connect(server))
        assert refused.recv(4096) == REFUSAL
        assert refused.recv(4096) == b""
        held[0].close()
        eventually(lambda: request(server, "GET", "/healthz")[0] == 200)


@pytest.mark.parametrize("kind", GEVENT)
@pytest.mark.parametrize("exempt", [{}, {"LIMIT_LOOPBACK": "1", "TRUSTED_PROXIES": "1"}])
def test_loopback_and_trusted_proxy_are_not_limited(serve, kind, exempt):
    server = serve(kind, MAX_CONNECTIONS_PER_ADDRESS="4", **exempt, **UNLIMITED)
    with contextlib.ExitStack() as links:
        for _ in range(PER_ADDRESS + 1):
            links.enter_context(connect(server))
        assert request(server, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize("kind", GEVENT)
def test_oversized_request_head_is_refused(serve, kind):
    """gevent's HTTP server reads heads with http.client, which accepts 100 lines of 64 KiB."""
    server = serve(kind, **UNLIMITED)
    line = b"a: " + b"x" * 60_000 + b"\r\n"
    received = b""
    with connect(server) as link, contextlib.suppress(ConnectionError):
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + line * 20)
        while data := link.recv(4096):  # the server closes before the end of the head
            received += data
    assert not received.startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize("kind", GEVENT)
def test_request_head_with_8000_byte_cookie_is_accepted(serve, kind):
    server = serve(kind, **UNLIMITED)
    assert request(server, "GET", "/healthz", Cookie="x" * 8000)[0] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_client_that_never_reads_responses_is_closed(tmp_path, kind):
    server = Server(kind, tmp_path, {}, module="support.apps.answering")
    try:
        with connect(server) as link:
            link.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
            eventually(lambda: request(server, "GET", "/handlers")[2] == "1")
            eventually(lambda: request(server, "GET", "/handlers")[2] == "0")
            with contextlib.suppress(ConnectionError):
                while link.recv(2**20):
                    pass
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()


@pytest.mark.parametrize("kind", GEVENT)
def test_response_that_the_kernel_times_out_is_not_logged(tmp_path, kind):
    """TCP_USER_TIMEOUT may be shorter than the server's own time limit."""
    short = {"PING_INTERVAL": "0.5", "PING_TIMEOUT": "0.5"}
    server = Server(kind, tmp_path, short, module="support.apps.watched")
    try:
        path = re.findall('/static/[^"]*socket.io[^"]*', request(server, "GET", "/")[2])[0]
        files = count_alive(server)["file"]
        with connect(server) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 500)
            eventually(lambda: count_alive(server)["file"] > files)
            eventually(lambda: count_alive(server)["file"] == files)
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()


@pytest.fixture
def development():
    """Werkzeug's server with a page that waits for the end of the test."""
    finish = threading.Event()

    def page(environ, start_response):
        finish.wait(10)
        start_response("200 OK", [])
        return []

    server = make_server("127.0.0.1", 0, page, threaded=True)
    accepting.bound_threads(0.3, type(server))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    finish.set()
    server.shutdown()
    del type(server).verify_request


def test_development_server_sends_small_writes_at_once(development):
    """gunicorn's sockets do so already."""
    with contextlib.ExitStack() as links:
        client, served = (links.enter_context(link) for link in tcp_pair())
        assert development.verify_request(served, client.getsockname())
        assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return socket.create_connection(listener.getsockname()), listener.accept()[0]


def test_development_server_limits_its_threads(development, monkeypatch):
    monkeypatch.setattr(accepting, "MAX_THREADS", threading.active_count() + 3)
    with contextlib.ExitStack() as links:
        held = [links.enter_context(connect(development)) for _ in range(3)]
        for link in held:
            link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        refused = links.enter_context(connect(development))
        assert refused.recv(4096) == b""


def test_development_server_closes_an_idle_connection(development):
    with connect(development) as link:
        link.sendall(b"GET")
        assert link.recv(4096) == b""
