"""Errors at start: each kind of server reports a mistake in one line and exits."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.servers import ROOT, free_port, start_process

from chatapp.store.sqlite.log import SQLiteLog


def failed_start(tmp_path, kind: str, settings: dict, *arguments: str, port: int = 0) -> list[str]:
    """Start a server that must fail, and return the lines of its log without [INFO]."""
    process = start_process(kind, tmp_path / "log", port or free_port(), settings, *arguments)
    assert process.wait(timeout=20) != 0
    lines = (tmp_path / "log").read_text().splitlines()
    return [line for line in lines if "[INFO]" not in line]


@pytest.mark.parametrize("kind", ["command", "gunicorn", "gevent-websocket", "flask"])
def test_invalid_setting_is_reported_in_one_line(tmp_path, kind):
    lines = failed_start(tmp_path, kind, {"PING_INTERVAL": "soon"})
    assert lines == ["CHATAPP_PING_INTERVAL='soon' should be seconds, from 0.01 to 86400"]


def test_port_in_use_is_reported_in_one_line(tmp_path):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        for kind in ("command", "gunicorn"):
            (line,) = failed_start(tmp_path, kind, {}, port=port)
            assert line == (
                f"127.0.0.1:{port} is in use by another program; "
                "set CHATAPP_BIND to another HOST:PORT"
            )


def test_unknown_host_is_reported_in_one_line(tmp_path):
    (line,) = failed_start(tmp_path, "command", {"BIND": "nowhere.invalid:3000"})
    assert line.startswith("nowhere.invalid:3000 can't be listened on")


def test_more_than_one_worker_is_refused(tmp_path):
    (line,) = failed_start(tmp_path, "gunicorn", {}, "--workers", "2")
    assert line.startswith("--workers 2: the chat needs --workers 1")


def test_preload_is_refused(tmp_path):
    (line,) = failed_start(tmp_path, "gunicorn", {}, "--preload")
    assert line.startswith("--preload: leave it out")


@pytest.mark.parametrize("kind", ["gunicorn", "command"])
def test_unusable_store_is_reported_in_one_line(tmp_path, kind):
    served = SQLiteLog(tmp_path / "served.sqlite3")
    served.open()
    newer = SQLiteLog(tmp_path / "newer.sqlite3")
    newer.open()
    newer.close()
    with closing(sqlite3.connect(newer.path)) as database:
        database.execute("PRAGMA user_version = 99")
    reports = {
        served.path: "is served by another process; end that one",
        newer.path: "has version 99, newer than this chatapp's",
        Path("/proc/chat.sqlite3"): "can't be created (",
    }
    running = {}
    for path in reports:
        log = tmp_path / f"{path.parent.name}-{path.stem}.log"
        running[path] = log, start_process(kind, log, free_port(), {"STORE": f"sqlite:{path}"})
    for path, (log, process) in running.items():
        assert process.wait(timeout=30) == 3
        text = log.read_text()
        (line,) = [line for line in text.splitlines() if path.name in line]
        assert f"[ERROR] {path}" in line
        assert reports[path] in line
        assert "Traceback" not in text
    served.close()


def test_command_exits_with_code_0_after_sigterm(serve):
    server = serve("command", fresh=True)
    assert server.stop() == 0


def test_flask_routes_does_not_open_the_store():
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "routes"]
    environ = os.environ | {"CHATAPP_STORE": "sqlite:/proc/chat.sqlite3"}  # can't be created
    routes = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30
    )
    assert routes.returncode == 0, routes.stderr
    assert {"/", "/healthz", "/readyz"} <= set(routes.stdout.split())
