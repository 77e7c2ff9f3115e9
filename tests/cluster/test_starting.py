"""Nodes that can't start, or that lose their Redis."""

from __future__ import annotations

import redis
from support.chaos.load import Client
from support.raw import eventually
from support.servers import UNLIMITED, RedisProcess, Server, free_port, start_process

from chatapp.store.redis.scripts import SCHEMA


def refusal(folder, url: str) -> str:
    """Start a node that must refuse to start, and return the line that it logs."""
    process = start_process("gunicorn", folder / "log", free_port(), {"STORE": url})
    assert process.wait(timeout=30) == 3
    text = (folder / "log").read_text()
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if "redis://" in line]
    return line


def test_unreachable_redis_is_refused_at_start(tmp_path):
    url = f"redis://127.0.0.1:{free_port()}/0"
    line = refusal(tmp_path, url)
    assert f"[ERROR] {url} can't be reached (" in line
    assert line.endswith("start Redis there, or correct CHATAPP_STORE")


def test_wrong_password_and_evicting_policy_are_refused_at_start(tmp_path):
    (tmp_path / "redis").mkdir()
    server = RedisProcess(
        tmp_path / "redis", requirepass="secret", **{"maxmemory-policy": "allkeys-lru"}
    )
    try:
        line = refusal(tmp_path, f"redis://:wrong@127.0.0.1:{server.port}/0")
        assert "requires another user or password" in line
        assert ":wrong@" not in line
        line = refusal(tmp_path, f"redis://:secret@127.0.0.1:{server.port}/0")
        assert line.endswith("set that to noeviction in redis.conf")
        assert "secret" not in line
    finally:
        server.stop()


def test_newer_schema_is_refused_at_start(tmp_path, redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.set(SCHEMA, "99")
        line = refusal(tmp_path, redis_server.url)
        client.flushall()
    assert "written by a newer version of the chat" in line


def test_node_without_redis_is_alive_and_not_ready(tmp_path):
    (tmp_path / "redis").mkdir()
    server = RedisProcess(tmp_path / "redis", appendfsync="always")
    node = Server("gunicorn", tmp_path, {**UNLIMITED, "STORE": server.url})
    try:
        ann = Client(node, "Ann")
        ann.call("msg", {"message": "before"})
        server.stop()
        eventually(lambda: node.get("/readyz")[0] == 503)
        assert node.get("/healthz")[0] == 200
        answer = ann.wait_for_answer(ann.emit("msg", {"message": "x"}))
        assert answer["code"] == "unavailable"
        server.start()
        eventually(lambda: node.get("/readyz")[0] == 200)
        assert ann.call("msg", {"message": "after"})["id"] == 2
    finally:
        assert node.stop() == 0
        server.stop()
    assert "Traceback" not in node.log.read_text()
