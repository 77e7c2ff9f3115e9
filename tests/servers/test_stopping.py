"""Graceful shutdown and reload: the server closes clients at the transport (docs/wire.md)."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import time

import pytest
from support import servers
from support.raw import Polling, RawWebSocket, eventually
from support.servers import ROOT, UNLIMITED, Server


@pytest.mark.parametrize("kind", ["gunicorn", "gevent-websocket", "command"])
def test_sigterm_closes_clients_and_exits_within_5_seconds(tmp_path, kind):
    server = Server(kind, tmp_path, UNLIMITED)
    client, session = RawWebSocket(server), Polling(server)
    waiting, answers = session.start_poll()
    idle = http.client.HTTPConnection("127.0.0.1", server.port)
    idle.request("GET", "/healthz")
    idle.getresponse().read()  # an open connection without a request
    begun = time.monotonic()
    server.terminate()
    assert (
        client.receive_close_code() == 1000
    )  # a close frame without a DISCONNECT packet before it
    waiting.join(5)
    assert answers == [(200, "1")]
    assert server.stop() == 0
    assert time.monotonic() - begun < 5
    idle.close()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("kind", ["command", "flask"])
def test_ctrl_c_closes_clients(tmp_path, kind):
    server = Server(kind, tmp_path, UNLIMITED)
    client = RawWebSocket(server)
    os.killpg(server.process.pid, signal.SIGINT)
    assert client.receive_close_code() == 1000
    assert server.process.wait(5) == 0


def test_sighup_loads_new_code_and_clients_reconnect(tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    for part in ("chatapp", "templates"):
        shutil.copytree(ROOT / part, tree / part)
    for part in ("wsgi.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / part, tree / part)
    monkeypatch.setattr(servers, "ROOT", tree)
    server = Server("gunicorn", tmp_path, UNLIMITED)
    try:
        client = RawWebSocket(server)
        client.send('421["setUsername","Ann"]')
        client.receive_until("431")
        pages = tree / "chatapp" / "web" / "pages.py"
        pages.write_text(pages.read_text().replace('"ok\\n"', '"new\\n"'))
        os.kill(server.process.pid, signal.SIGHUP)
        assert client.receive_close_code() == 1000
        eventually(lambda: server.is_ready() and server.get("/healthz")[2] == b"new\n")
        again = RawWebSocket(server)
        again.send('421["setUsername","Ann"]')
        assert '"ok":true' in again.receive_until("431")[-1]
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
