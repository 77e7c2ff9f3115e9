"""Two nodes keep serving while one room and one name on their Redis are damaged."""

from __future__ import annotations

import pytest
import redis
from support.chaos.load import Client
from support.servers import UNLIMITED, RedisProcess, Server

from chatapp.store.redis.scripts import NAMES, log_key


@pytest.fixture
def two_nodes(tmp_path):
    folders = [tmp_path / name for name in ("redis", "one", "two")]
    for folder in folders:
        folder.mkdir()
    database = RedisProcess(folders[0])
    settings = {**UNLIMITED, "STORE": database.url}
    nodes = [Server("gunicorn", folder, settings) for folder in folders[1:]]
    with redis.Redis.from_url(database.url) as client:
        yield client, nodes
    assert [node.stop() for node in nodes] == [0, 0]
    database.stop()


def code_of(client: Client, event: str, *arguments: object) -> str:
    return client.wait_for_answer(client.emit(event, *arguments)).get("code", "")


def test_damaged_room_and_name_affect_nothing_else(two_nodes):
    redis_client, nodes = two_nodes
    people = [Client(node, name) for node, name in zip(nodes, ("Ann", "Bo"), strict=True)]
    redis_client.set(log_key("tea"), "x")
    redis_client.hset(NAMES, "cy", b"\xc1")
    for n in range(10):
        for node, person in zip(nodes, people, strict=True):
            assert code_of(person, "join", {"room": "tea"}) == "unavailable"
            assert code_of(person, "setUsername", "Cy") == "unavailable"
            assert person.call("msg", {"message": "hello"})["id"] > 2 * n
            assert node.get("/readyz")[0] == 200
    for node in nodes:
        text = node.log.read_text()
        assert "Traceback" not in text
        assert "Cy" not in text
        assert text.count(f"{log_key('tea')} is a string") == 1
        assert text.count(f"a field of {NAMES} isn't the record of a name") == 1
