"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import redis
from support.chat import LATER, ChatHarness, ClusterHarness, NodeHarness
from support.servers import KINDS, UNLIMITED, RedisProcess, Server

from chatapp import create_app
from chatapp.store.redis import tasks as redis_tasks

HERE = Path(__file__).parent
# A busy machine makes any example slow; `timeout` in pyproject.toml bounds the test as a whole.
hypothesis.settings.register_profile("chatapp", deadline=None)
hypothesis.settings.load_profile("chatapp")


def pytest_configure() -> None:
    """Let servers receive SIGINT, which a shell ignores in background jobs and their children."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(part in ("servers", "browser", "cluster") for part in item.path.parts):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(
    params=[
        pytest.param(ChatHarness, id="one process"),
        pytest.param(NodeHarness, id="one node", marks=pytest.mark.server),
        pytest.param(ClusterHarness, id="two nodes", marks=pytest.mark.server),
    ]
)
def make_room(request, monkeypatch) -> Iterator[Callable[..., ChatHarness]]:
    """Make a chat without sockets: of one process, of one node of a cluster, and of two nodes."""
    made: list[ChatHarness] = []
    harness = request.param
    if harness is not ChatHarness:
        monkeypatch.setattr(redis_tasks, "SCRIPT", LATER)
        url = request.getfixturevalue("redis_server").url
        with redis.Redis.from_url(url) as client:
            client.flushall()
        harness = partial(harness, url)

    def make(**options) -> ChatHarness:
        made.append(harness(**options))
        return made[-1]

    yield make
    for room in made:
        room.close()


@pytest.fixture
def room(make_room) -> ChatHarness:
    return make_room()


@pytest.fixture
def app():
    return create_app({"TESTING": True})


@pytest.fixture(scope="session")
def serve(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """Return a running server of a kind, a module and settings; start it if there is none.

    `fresh` always starts another one.
    """
    running: dict[tuple, Server] = {}

    def start(
        kind: str = "gunicorn", fresh: bool = False, module: str = "wsgi", **settings: str
    ) -> Server:
        key = (kind, module, *sorted(settings.items()), len(running) if fresh else "")
        if key not in running or running[key].process.poll() is not None:
            folder = tmp_path_factory.mktemp("server")
            running[key] = Server(kind, folder, settings, module=module)
        return running[key]

    yield start
    for server in running.values():
        server.terminate()
    for server in running.values():
        server.stop()


@pytest.fixture(params=KINDS)
def server(request, serve) -> Iterator[Server]:
    """Each kind of server, without rate limits; fails if it logs a traceback."""
    server = serve(request.param, **UNLIMITED)
    yield server
    assert server.new_tracebacks() == []


@pytest.fixture(params=KINDS)
def fast_ping_server(request, serve) -> Iterator[Server]:
    """Each kind of server, with a ping interval of 0.5 s; fails if it logs a traceback."""
    server = serve(request.param, PING_INTERVAL="0.5", PING_TIMEOUT="0.4", **UNLIMITED)
    yield server
    assert server.new_tracebacks() == []
