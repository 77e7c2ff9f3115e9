"""The npm clients of socket.io 2.0 to 4.8 in one room, over each transport."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.servers import ROOT, UNLIMITED, Server

SOCKET_IO_2 = ["socket.io-client-2.0", "socket.io-client-2.3", "socket.io-client-2.5"]
PACKAGES = [*SOCKET_IO_2, "socket.io-client-3", "socket.io-client"]
TRANSPORTS = ["polling", "websocket", "polling+websocket"]
ALL_CLIENTS = [
    f"{package}:{transports}" + "!" * ((n + m) % 2)  # `!`: its connection is cut once
    for n, package in enumerate(PACKAGES)
    for m, transports in enumerate(TRANSPORTS)
]
SETTINGS = {**UNLIMITED, "STORE": "memory:", "RETENTION_MESSAGES": "0"}


def exchange_messages(server: Server, count: int, *clients: str) -> None:
    """Have each client send `count` messages; each must receive all of them once and in order."""
    done = subprocess.run(
        ["node", ROOT / "tests/clients/many-clients.mjs", server.url, str(count), *clients],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert server.new_tracebacks() == []
    result = json.loads(done.stdout)
    sentence = f"{result['name']} username is taken! Try some other username."
    assert result["refused"] == [["name_taken", sentence]] * (len(clients) - 1)
    for client, description in zip(result["found"], clients, strict=True):
        assert client["odd"] == [], description
        assert client["same"], description
        assert client["transport"] == description.strip("!").split(":")[1].split("+")[-1]
        assert client["connections"] == 1 + description.endswith("!")
        assert [number for number, _ in client["own"]] == client["acknowledged"]
        assert [text for _, (_, text) in client["own"]] == [f"{n} \U0001f600" for n in range(count)]


@pytest.mark.parametrize(
    ("kind", "count"), [("gunicorn", 667), ("gevent-websocket", 60), ("flask", 60)]
)
def test_all_client_versions_exchange_messages_in_one_room(serve, kind, count):
    """15 clients send 10,005 messages together."""
    exchange_messages(serve(kind, **SETTINGS), count, *ALL_CLIENTS)


@pytest.mark.parametrize(
    "transports",
    [
        "polling+websocket",
        *(pytest.param(t, marks=pytest.mark.full) for t in ("polling", "websocket")),
    ],
)
def test_two_clients_send_10_000_messages_each(serve, transports):
    exchange_messages(
        serve("gunicorn", **SETTINGS),
        10_000,
        f"socket.io-client-2.3:{transports}",
        "socket.io-client:websocket",
    )
