"""DNS rebinding doesn't reach a chat on a loopback address, under each kind of server."""

from __future__ import annotations

import contextlib
import http.client
import socket

from support import raw
from support.raw import BASE, exchange, refused_upgrade, request
from support.servers import Server

HOSTS = {"localhost": 200, "127.0.0.1:1": 200, "x": 200, "evil.example": 403}


def test_foreign_host_is_refused(server):
    for path in ("/", "/healthz", BASE):
        for host, status in HOSTS.items():
            assert request(server, "GET", path, Host=host)[0] == status
        assert (
            request(server, "GET", path, Host="evil.example", Origin="http://evil.example")[0]
            == 403
        )


def test_foreign_host_gets_no_websocket(server, monkeypatch):
    path = "/socket.io/?EIO=4&transport=websocket"
    evil = raw.HANDSHAKE.replace("Host: {host}", "Host: evil.example")
    monkeypatch.setattr(raw, "HANDSHAKE", evil)
    status, text = refused_upgrade(server, path)
    assert status == 403
    assert "CHATAPP_HOSTS" in text


def test_body_for_a_foreign_host_is_not_read(server):
    head = b"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000000\r\n\r\n"
    answer = exchange(server, head + b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 403")


def test_unix_socket_serves_any_host(tmp_path):
    path = tmp_path / "socket"
    server = Server("gunicorn", tmp_path, {}, "-b", f"unix:{path}")
    try:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1")) as link:
            link.sock = socket.socket(socket.AF_UNIX)
            link.sock.connect(str(path))
            link.request("GET", "/healthz", headers={"Host": "evil.example"})
            assert link.getresponse().status == 200
    finally:
        server.stop()
