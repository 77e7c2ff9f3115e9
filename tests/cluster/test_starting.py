"""A node that can't start says why in one line; one that is cut off from Redis goes on living."""

from __future__ import annotations

import redis
from support.chaos.load import Client
from support.raw import eventually
from support.servers import UNLIMITED, RedisProcess, Server, free_port, start_process


def refusal(folder, url: str) -> str:
    """The line that a node says which must not start."""
    process = start_process("gunicorn", folder / "log", free_port(), {"STORE": url})
    assert process.wait(timeout=30) == 3
    text = (folder / "log").read_text()
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if "redis://" in line]
    return line


def test_a_redis_that_is_not_there(tmp_path):
    url = f"redis://127.0.0.1:{free_port()}/0"
    line = refusal(tmp_path, url)
    assert f"[ERROR] {url} can't be reached (" in line
    assert line.endswith("start Redis there, or correct CHATAPP_STORE")


def test_a_wrong_password_and_a_policy_that_drops_keys(tmp_path):
    (tmp_path / "redis").mkdir()
    server = RedisProcess(
        tmp_path / "redis", requirepass="secret", **{"maxmemory-policy": "allkeys-lru"}
    )
    try:
        line = refusal(tmp_path, f"redis://:wrong@127.0.0.1:{server.port}/0")
        assert "wants another user or password" in line
        assert ":wrong@" not in line
        line = refusal(tmp_path, f"redis://:secret@127.0.0.1:{server.port}/0")
        assert line.endswith("set that to noeviction in redis.conf")
        assert "secret" not in line
    finally:
        server.stop()


def test_keys_of_a_newer_version(tmp_path, redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.set("chatapp:schema", "99")
        line = refusal(tmp_path, redis_server.url)
        client.flushall()
    assert "written by a newer version of the chat" in line


def test_a_node_without_its_redis_lives_and_is_not_ready(tmp_path):
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
