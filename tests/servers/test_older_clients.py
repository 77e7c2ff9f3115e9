"""The real clients from npm, of socket.io 2.0 to 4.8, in one room over each transport."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.servers import ROOT, UNLIMITED, Server

OLDER = ["socket.io-client-2.0", "socket.io-client-2.3", "socket.io-client-2.5"]
PACKAGES = [*OLDER, "socket.io-client-3", "socket.io-client"]
TRANSPORTS = ["polling", "websocket", "polling+websocket"]
EVERYBODY = [
    f"{package}:{transports}" + "!" * ((n + m) % 2)  # every other one is cut off on the way
    for n, package in enumerate(PACKAGES)
    for m, transports in enumerate(TRANSPORTS)
]
SETTINGS = {**UNLIMITED, "STORE": "memory:", "RETENTION_MESSAGES": "0"}


def talk(server: Server, count: int, *people: str) -> None:
    """Have people say `count` messages each; all hear all, once and in order, and none is lost."""
    done = subprocess.run(
        ["node", ROOT / "tests/clients/many-clients.mjs", server.url, str(count), *people],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    sentence = f"{told['name']} username is taken! Try some other username."
    assert told["refused"] == [["name_taken", sentence]] * (len(people) - 1)
    for person, description in zip(told["found"], people, strict=True):
        assert person["odd"] == [], description
        assert person["same"], description
        assert person["transport"] == description.strip("!").split(":")[1].split("+")[-1]
        assert person["connections"] == 1 + description.endswith("!")
        assert [number for number, _ in person["own"]] == person["acknowledged"]
        assert [text for _, (_, text) in person["own"]] == [f"{n} \U0001f600" for n in range(count)]


@pytest.mark.parametrize(
    ("kind", "count"), [("gunicorn", 667), ("gevent-websocket", 60), ("flask", 60)]
)
def test_everybody_talks_in_one_room(serve, kind, count):
    """15 people: 10,005 messages one way, and as many to each the other way."""
    talk(serve(kind, **SETTINGS), count, *EVERYBODY)


@pytest.mark.parametrize(
    "transports",
    [
        "polling+websocket",
        *(pytest.param(t, marks=pytest.mark.full) for t in ("polling", "websocket")),
    ],
)
def test_two_say_ten_thousand_messages_each(serve, transports):
    talk(
        serve("gunicorn", **SETTINGS),
        10_000,
        f"socket.io-client-2.3:{transports}",
        "socket.io-client:websocket",
    )


def test_the_log_shows_no_error(serve):
    assert "Traceback" not in serve("gunicorn", **SETTINGS).log.read_text()
