"""The log on Redis: its contract, and what it says of a Redis that won't do."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from contextlib import suppress

import pytest
import redis
from redis.exceptions import BusyLoadingError, ResponseError
from support.log_contract import ALL, DAY, Clock, LogContract, in_threads
from support.raw import eventually
from support.servers import RedisProcess

from chatapp.chat.log import Draft, Retention
from chatapp.errors import StoreError, Unavailable
from chatapp.store.redis.client import store_error
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import NEWEST, channel, keys_key, log_key

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


def test_while_redis_is_away_nobody_waits_and_when_it_is_back_all_goes_on(make_log, own):
    server = own()
    log = make_log(url=server.url, check_interval=0.1)
    log.append(Draft("tea", "Ann", "x"))
    server.stop()
    with pytest.raises(Unavailable):
        log.append(Draft("tea", "Ann", "x"))
    assert not log.available()
    server.start()
    eventually(log.available)
    assert log.append(Draft("tea", "Ann", "x")).id == 2


def test_one_that_hangs_has_its_time_and_then_nobody_waits(make_log, own):
    server = own()
    log = make_log(url=server.url, patience=0.5)
    log.append(Draft("tea", "Ann", "x", "key-0001"))
    server.process.send_signal(signal.SIGSTOP)
    for least, most in ((0.4, 2), (0, 0.1)):
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            log.append(Draft("tea", "Ann", "y", "key-0002"))
        assert least <= time.monotonic() - begun < most
    server.process.send_signal(signal.SIGCONT)
    eventually(log.available)
    assert log.append(Draft("tea", "Ann", "y", "key-0002")).id == 2


# Several at once


class Node:
    """A log, and what it has told of the room tea."""

    def __init__(self, log: RedisLog) -> None:
        self.log = log
        self.heard: list[int] = []
        log.subscribe(lambda batch: self.heard.extend(entry.id for entry in batch))

    def says(self, count: int = 1) -> None:
        for _ in range(count):
            self.log.append(Draft("tea", "Ann", "x"))


@pytest.fixture
def nodes(make_log, server):
    return [Node(make_log(url=server.url, check_interval=0.1)) for _ in range(2)]


def test_who_attends_hears_what_others_append(nodes):
    ann, bo = nodes
    ann.says(2)
    assert bo.heard == []
    bo.log.subscribe_room("tea")
    bo.log.subscribe_room("tea")
    ann.says(3)
    eventually(lambda: bo.heard == [3, 4, 5])
    bo.says()
    assert bo.heard == [3, 4, 5, 6]
    assert ann.heard == [1, 2, 3, 4, 5]


def test_all_hear_all_in_order_however_many_append(nodes):
    for node in nodes:
        node.log.subscribe_room("tea")
    in_threads(lambda n: nodes[n % 2].says(50), 8)
    for node in nodes:
        eventually(lambda node=node: len(node.heard) == 400)
        assert node.heard == list(range(1, 401))


def test_what_is_missed_while_the_listener_is_cut_off_is_told(nodes, server):
    ann, bo = nodes
    bo.log.subscribe_room("tea")
    with redis.Redis.from_url(server.url) as client:
        for _ in range(5):
            client.client_kill_filter(_type="pubsub")
            ann.says(10)
    eventually(lambda: bo.heard == list(range(1, 51)), within=5)
    ann.says()
    eventually(lambda: bo.heard[-1] == 51)


def test_what_is_never_published_is_told_all_the_same(nodes, server):
    """As if the subscription had silently died."""
    ann, bo = nodes
    bo.log.subscribe_room("tea")
    bo.log.listener._on_entry = lambda epoch, entry: None
    ann.says(60)
    eventually(lambda: bo.heard == list(range(1, 61)), within=5)


def test_chats_in_two_databases_do_not_hear_each_other(make_log, server):
    """A channel is of all databases."""
    ann, bo = Node(make_log(url=server.url)), Node(make_log(url=server.url[:-1] + "1"))
    for node in (ann, bo):
        node.log.subscribe_room("tea")
    ann.says(5)
    bo.says(2)
    time.sleep(0.3)
    assert (ann.heard, bo.heard) == ([1, 2, 3, 4, 5], [1, 2])


def test_what_others_publish_is_no_trouble(nodes, server, caplog):
    ann, bo = nodes
    bo.log.subscribe_room("tea")
    with redis.Redis.from_url(server.url) as client:
        for data in (b"", b"junk", b"\x90", b"\x96\xa1e\xa1x\xa11\xa1u\xa1m\xa1k"):
            client.publish(channel("tea"), data)
    ann.says(3)
    eventually(lambda: bo.heard == [1, 2, 3])
    assert "isn't the chat's" in caplog.text


def test_a_crowd_may_ask_at_once(make_log, server):
    log = make_log(url=server.url)
    log.append(Draft("tea", "Ann", "x"))
    in_threads(lambda _: log.read("tea"), 150)
    assert log.available()


BUSY = """
local begun = redis.call('TIME')
repeat
  local now = redis.call('TIME')
until (now[1] - begun[1]) * 1000000 + now[2] - begun[2] > 8000
"""
"""Takes 8 ms."""


def test_a_long_queue_is_no_sign_that_redis_is_away(make_log, server):
    log = make_log(url=server.url, patience=2.0)
    log.open()
    answered = []

    def ask(number: int) -> None:
        log.query(lambda: log.server.client.eval(BUSY, 0))
        answered.append(number)

    in_threads(ask, 350)
    assert len(answered) == 350


def is_full(client) -> None:
    client.config_set("maxmemory", "1")


def is_a_replica(client) -> None:
    client.replicaof("127.0.0.1", "1")


FAULTS = [
    (is_full, "is full; raise maxmemory in redis.conf, or keep less (CHATAPP_RETENTION_DAYS)"),
    (is_a_replica, "is a replica, which takes nothing; set CHATAPP_STORE to its master"),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS)
def test_a_redis_that_takes_nothing_is_not_back(make_log, own, caplog, fault, told):
    server = own()
    log = make_log(url=server.url, check_interval=0.05)
    log.append(Draft("tea", "Ann", "x"))
    with redis.Redis.from_url(server.url) as client:
        fault(client)
        with pytest.raises(Unavailable):
            log.append(Draft("tea", "Ann", "x"))
        time.sleep(0.5)
        assert not log.available()
        assert f"{server.url} {told}; messages are refused until that is fixed" in caplog.messages
        client.config_set("maxmemory", "0")
        client.replicaof("NO", "ONE")
    eventually(log.available)
    assert log.append(Draft("tea", "Ann", "x")).id == 2
    assert caplog.text.count("are refused until") == 1


def test_a_full_redis_loses_what_is_no_longer_kept(make_log, own):
    server, clock = own(), Clock(0.0)
    log = make_log(Retention(days=1), clock, server.url, check_interval=0.05, sweep_interval=0.1)
    log.append(Draft("tea", "Ann", "x"))
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(Unavailable):
            log.append(Draft("tea", "Ann", "x"))
        clock.now = 2 * DAY
        eventually(lambda: client.xlen(log_key("tea")) == 0)


def test_scripts_that_redis_has_forgotten_are_told_again(make_log, server):
    log = make_log(url=server.url)
    log.append(Draft("tea", "Ann", "x"))
    with redis.Redis.from_url(server.url) as client:
        client.script_flush()
    assert log.append(Draft("tea", "Ann", "x")).id == 2


def test_a_look_that_fails_is_not_the_last(make_log, own, monkeypatch):
    server = own()
    log = make_log(url=server.url, check_interval=0.05)
    log.append(Draft("tea", "Ann", "x"))
    with monkeypatch.context() as patch:
        patch.setattr(log, "_check", lambda: 1 / 0)
        time.sleep(0.3)
    server.stop()
    with pytest.raises(Unavailable):
        log.append(Draft("tea", "Ann", "x"))
    server.start()
    eventually(log.available)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ResponseError("MISCONF Errors writing to the AOF file: full"), "make room there"),
        (BusyLoadingError("Redis is loading the dataset in memory"), "wait until it has"),
        (ResponseError("WRONGTYPE Operation script: 5a"), "WRONGTYPE Operation); set CHATAPP_ST"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(error, told):
    said = str(store_error("redis://:secret@host:1/0", error))
    assert said.startswith("redis://:…@host:1/0 ")
    assert told in said


def test_a_redis_that_was_killed_has_lost_nothing(make_log, own):
    server = own(appendfsync="always")
    ann, bo = (Node(make_log(url=server.url, check_interval=0.1)) for _ in range(2))
    bo.log.subscribe_room("tea")
    ann.says(20)
    server.kill()
    server.start()
    eventually(ann.log.available)
    eventually(bo.log.available)
    ann.says(20)
    eventually(lambda: bo.heard == list(range(1, 41)), within=5)
    assert ann.heard == bo.heard


def test_nothing_is_missed_between_reading_and_hearing(make_log, server):
    """Though it takes a while until the room is subscribed to."""
    ann, bo = (Node(make_log(url=server.url, check_interval=60)) for _ in range(2))
    ann.says()
    bo.log.open()
    on_subscribed, gate = bo.log.listener._on_subscribed, threading.Event()
    bo.log.listener._on_subscribed = lambda room: gate.wait(5) and on_subscribed(room)
    waiting = threading.Thread(target=bo.log.subscribe_room, args=("tea",))
    waiting.start()
    eventually(lambda: bo.log._delivery.has_started("tea"))
    assert len(bo.log.read("tea").entries) == 1
    ann.says(3)
    gate.set()
    waiting.join()
    eventually(lambda: bo.heard == [2, 3, 4])


def test_a_room_that_nobody_hears_is_forgotten_and_heard_again(make_log, server):
    ann, bo = (Node(make_log(url=server.url, check_interval=0.05)) for _ in range(2))
    hearing = ["tea"]
    bo.log.subscribe(lambda _: None, lambda room: room in hearing)
    bo.log._wants.pop(0)
    bo.log.subscribe_room("tea")
    ann.says()
    eventually(lambda: bo.heard == [1])
    hearing.clear()
    eventually(lambda: "tea" not in bo.log._delivery)
    ann.says()
    hearing.append("tea")
    bo.log.subscribe_room("tea")
    ann.says()
    eventually(lambda: bo.heard == [1, 3])


def both_have_told_20(ann: Node, bo: Node) -> str:
    """The epoch in which that was."""
    bo.log.subscribe_room("tea")
    ann.says(20)
    eventually(lambda: len(bo.heard) == 20)
    return bo.log.epoch


def test_no_number_is_used_twice_in_an_epoch(nodes, server, caplog):
    """Redis has lost what it had: the numbering is another one, on all nodes."""
    ann, bo = nodes
    epoch = both_have_told_20(ann, bo)
    breaks = []
    for node in nodes:
        node.log.on_reset(lambda node=node: breaks.append(node))
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    eventually(lambda: ann.log.epoch == bo.log.epoch != epoch)
    assert ann.log.read("tea").epoch == bo.log.epoch
    eventually(lambda: len(breaks) == 2)
    assert set(breaks) == set(nodes)
    assert "numbering begins anew" in caplog.text
    ann.says()
    eventually(lambda: bo.heard[20:] == [1])


def test_nothing_is_appended_behind_what_was_told(nodes, server):
    ann, bo = nodes
    epoch = both_have_told_20(ann, bo)
    with redis.Redis.from_url(server.url) as client:
        client.hset(NEWEST, "tea", "15 1000000")  # as after the loss of a second
        client.xtrim(log_key("tea"), minid="1-0")
    with suppress(Unavailable):
        bo.says()
    eventually(lambda: ann.log.epoch == bo.log.epoch != epoch)


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


def test_a_redis_that_is_too_old_is_refused(server, monkeypatch):
    monkeypatch.setattr(redis.Redis, "info", lambda *_: {"redis_version": "6.2.14"})
    assert refused(server.url) == (
        f"{server.url} is Redis 6.2.14; the chat needs 7 or newer: upgrade it"
    )


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
    for url in ("redis://127.0.0.1:port/0", "rediss://host/0?ssl_x=1"):
        with pytest.raises(StoreError, match="no URL of a Redis"):
            RedisLog(url)
