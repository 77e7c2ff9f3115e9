"""The log on Redis: its contract, and what it says of a Redis that won't do."""

from __future__ import annotations

import itertools

import pytest
import redis
from contract import ALL, DAY, Clock, LogContract
from raw import eventually
from redis_process import RedisProcess

from chatapp.errors import StoreError, Unavailable
from chatapp.store.base import Draft, Retention
from chatapp.store.redis import RedisLog
from chatapp.store.redis_scripts import keys_key, log_key

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own(tmp_path):
    """Start a Redis with options, that the test may do anything to."""
    started: list[RedisProcess] = []

    def start(**options: str) -> RedisProcess:
        folder = tmp_path / f"redis-{len(started)}"
        folder.mkdir()
        started.append(RedisProcess(folder, **options))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def make_log(server):
    made: list[RedisLog] = []
    databases = itertools.count()
    with redis.Redis.from_url(server.url) as client:
        client.flushall()

    def make(retention=ALL, clock=lambda: 1000.0, url=None, **options):
        url = url or server.url.removesuffix("0") + str(next(databases))
        made.append(RedisLog(url, retention, clock=clock, **options))
        return made[-1]

    yield make
    for log in made:
        log.close()


class TestRedisLog(LogContract):
    @pytest.fixture
    def make_log(self, make_log):
        return make_log


def test_what_was_appended_is_there_for_others(make_log, server):
    first, second = make_log(url=server.url), make_log(url=server.url)
    entry = first.append(Draft("tea", "Ann", "\0 <b> 😀", "key-0001"))
    assert second.epoch == first.epoch
    assert second.read("tea").entries == [entry]
    assert second.append(Draft("tea", "ann", "again", "key-0001")) == entry
    assert second.append(Draft("tea", "Bo", "next")).id == 2


def test_what_is_not_kept_is_swept(make_log, server):
    clock = Clock(0.0)
    log = make_log(Retention(messages=150), clock, server.url, sweep_interval=0.05)
    for number in range(400):
        log.append(Draft("tea", "Ann", "x", f"key-{number:05}"))
    with redis.Redis.from_url(server.url) as client:

        def kept() -> tuple[int, int]:
            return client.xlen(log_key("tea")), client.hlen(keys_key("tea"))

        eventually(lambda: kept() == (150, 150))
    assert log.read("tea", since=0, limit=1).entries[0].id == 251


def test_a_key_that_was_used_again_is_not_swept_with_the_first(make_log, server):
    clock = Clock(0.0)
    log = make_log(Retention(days=1), clock, server.url, sweep_interval=0.05)
    log.append(Draft("tea", "Ann", "x", "key-0001"))
    clock.now = 2 * DAY
    again = log.append(Draft("tea", "Ann", "x", "key-0001"))
    with redis.Redis.from_url(server.url) as client:
        eventually(lambda: client.xlen(log_key("tea")) == 1)
    assert log.find("tea", "Ann", "key-0001") == again


def test_scripts_are_there_after_a_restart(make_log, own):
    server = own()
    log = make_log(url=server.url)
    log.append(Draft("tea", "Ann", "x"))
    server.stop()
    with pytest.raises(Unavailable):
        log.append(Draft("tea", "Ann", "x"))
    assert not log.available()
    server.start()
    assert log.append(Draft("tea", "Ann", "x")).id == 2
    assert log.available()


def refused(url: str) -> str:
    log = RedisLog(url)
    with pytest.raises(StoreError) as refusal:
        log.open()
    log.close()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_redis_that_is_not_there_is_refused(own):
    server = own()
    server.stop()
    assert "can't be reached" in refused(server.url)


def test_a_wrong_password_is_refused_and_never_shown(own):
    server = own(requirepass="secret")
    for password in ("", ":wrong-one@"):
        line = refused(server.url.replace("127.0.0.1", f"{password}127.0.0.1"))
        assert "password" in line
        assert "wrong-one" not in line


def test_a_database_that_is_not_there_is_refused(server):
    assert "DB index is out of range" in refused(server.url.removesuffix("0") + "999")


def test_a_redis_that_may_drop_keys_is_refused(own):
    assert "noeviction" in refused(own(**{"maxmemory-policy": "allkeys-lru"}).url)


def test_keys_of_another_program_are_refused(server):
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.set("chatapp:something", "else")
        assert "another program" in refused(server.url)
        client.flushall()
        client.set("chatapp:schema", "2")
        assert "newer version" in refused(server.url)
        client.flushall()


def test_an_url_that_is_none_is_refused():
    with pytest.raises(StoreError, match="no URL of a Redis"):
        RedisLog("redis://127.0.0.1:port/0")
