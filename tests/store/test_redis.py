"""The log on Redis: its contract, several nodes, and the errors of a wrong Redis."""

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
from chatapp.store.redis.client import Server, store_error
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import NEWEST, PREFIX, SCHEMA, channel, keys_key, log_key

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own(tmp_path):
    """Return a function that starts a Redis with options for this test alone."""
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


def test_entries_and_keys_are_shared_between_nodes(make_log, server):
    first, second = make_log(url=server.url), make_log(url=server.url)
    entry = first.append(Draft("tea", "Ann", "\0 <b> 😀", "key-0001"))
    assert second.epoch == first.epoch
    assert second.read("tea").entries == [entry]
    assert second.append(Draft("tea", "ann", "again", "key-0001")) == entry
    assert second.append(Draft("tea", "Bo", "next")).id == 2


def test_expired_messages_and_keys_are_deleted(make_log, server):
    clock = Clock(0.0)
    log = make_log(Retention(messages=150), clock, server.url, sweep_interval=0.05)
    for number in range(400):
        log.append(Draft("tea", "Ann", "x", f"key-{number:05}"))
    with redis.Redis.from_url(server.url) as client:

        def kept() -> tuple[int, int]:
            return client.xlen(log_key("tea")), client.hlen(keys_key("tea"))

        eventually(lambda: kept() == (150, 150))
    assert log.read("tea", since=0, limit=1).entries[0].id == 251


def test_key_that_was_used_again_is_not_deleted_with_the_first_message(make_log, server):
    clock = Clock(0.0)
    log = make_log(Retention(days=1), clock, server.url, sweep_interval=0.05)
    log.append(Draft("tea", "Ann", "x", "key-0001"))
    clock.now = 2 * DAY
    again = log.append(Draft("tea", "Ann", "x", "key-0001"))
    with redis.Redis.from_url(server.url) as client:
        eventually(lambda: client.xlen(log_key("tea")) == 1)
    assert log.find("tea", "Ann", "key-0001") == again


def test_appends_fail_while_redis_is_down_and_go_on_after_it(make_log, own):
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


def test_first_append_waits_for_a_hanging_redis_and_later_ones_do_not(make_log, own):
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


# Several nodes


class Node:
    """A log, and the numbers that it has delivered."""

    def __init__(self, log: RedisLog) -> None:
        self.log = log
        self.delivered: list[int] = []
        log.subscribe(lambda batch: self.delivered.extend(entry.id for entry in batch))

    def append(self, count: int = 1) -> None:
        for _ in range(count):
            self.log.append(Draft("tea", "Ann", "x"))


@pytest.fixture
def nodes(make_log, server):
    return [Node(make_log(url=server.url, check_interval=0.1)) for _ in range(2)]


def test_subscribed_node_gets_what_others_append(nodes):
    ann, bo = nodes
    ann.append(2)
    assert bo.delivered == []
    bo.log.subscribe_room("tea")
    bo.log.subscribe_room("tea")
    ann.append(3)
    eventually(lambda: bo.delivered == [3, 4, 5])
    bo.append()
    assert bo.delivered == [3, 4, 5, 6]
    assert ann.delivered == [1, 2, 3, 4, 5]


def test_concurrent_appends_are_delivered_in_order_at_all_nodes(nodes):
    for node in nodes:
        node.log.subscribe_room("tea")
    in_threads(lambda n: nodes[n % 2].append(50), 8)
    for node in nodes:
        eventually(lambda node=node: len(node.delivered) == 400)
        assert node.delivered == list(range(1, 401))


def test_entries_missed_while_disconnected_are_delivered(nodes, server):
    ann, bo = nodes
    bo.log.subscribe_room("tea")
    with redis.Redis.from_url(server.url) as client:
        for _ in range(5):
            client.client_kill_filter(_type="pubsub")
            ann.append(10)
    eventually(lambda: bo.delivered == list(range(1, 51)), within=5)
    ann.append()
    eventually(lambda: bo.delivered[-1] == 51)


def test_unpublished_entries_are_delivered_by_the_check(nodes, server):
    """A subscription that has silently died."""
    ann, bo = nodes
    bo.log.subscribe_room("tea")
    bo.log.feed.subscriber._on_message = lambda *_: None
    ann.append(60)
    eventually(lambda: bo.delivered == list(range(1, 61)), within=5)


def test_databases_do_not_receive_each_others_messages(make_log, server):
    """A channel exists once for all databases."""
    ann, bo = Node(make_log(url=server.url)), Node(make_log(url=server.url[:-1] + "1"))
    for node in (ann, bo):
        node.log.subscribe_room("tea")
    ann.append(5)
    bo.append(2)
    time.sleep(0.3)
    assert (ann.delivered, bo.delivered) == ([1, 2, 3, 4, 5], [1, 2])


def test_foreign_publications_are_ignored(nodes, server, caplog):
    ann, bo = nodes
    bo.log.subscribe_room("tea")
    with redis.Redis.from_url(server.url) as client:
        for data in (b"", b"junk", b"\x90", b"\x96\xa1e\xa1x\xa11\xa1u\xa1m\xa1k"):
            client.publish(channel("tea"), data)
    ann.append(3)
    eventually(lambda: bo.delivered == [1, 2, 3])
    assert "another program publishes" in caplog.text


def test_many_concurrent_reads_wait_for_a_connection(make_log, server):
    log = make_log(url=server.url)
    log.append(Draft("tea", "Ann", "x"))
    in_threads(lambda _: log.read("tea"), 150)
    assert log.available()


SLEEP_8_MS = """
local begun = redis.call('TIME')
repeat
  local now = redis.call('TIME')
until (now[1] - begun[1]) * 1000000 + now[2] - begun[2] > 8000
"""


def test_long_queue_does_not_count_as_down(make_log, server):
    log = make_log(url=server.url, patience=2.0)
    log.open()
    answered = []

    def query(number: int) -> None:
        log.query(lambda: log.server.client.eval(SLEEP_8_MS, 0))
        answered.append(number)

    in_threads(query, 350)
    assert len(answered) == 350


def is_full(client) -> None:
    client.config_set("maxmemory", "1")


def is_a_replica(client) -> None:
    client.replicaof("127.0.0.1", "1")


FAULTS = [
    (is_full, "is full; raise maxmemory in redis.conf, or keep less (CHATAPP_RETENTION_DAYS)"),
    (is_a_replica, "is a replica, which accepts no writes; set CHATAPP_STORE to its master"),
]


@pytest.mark.parametrize(("fault", "line"), FAULTS)
def test_redis_that_refuses_writes_stays_down(make_log, own, caplog, fault, line):
    server = own()
    log = make_log(url=server.url, check_interval=0.05)
    log.append(Draft("tea", "Ann", "x"))
    with redis.Redis.from_url(server.url) as client:
        fault(client)
        with pytest.raises(Unavailable):
            log.append(Draft("tea", "Ann", "x"))
        time.sleep(0.5)
        assert not log.available()
        assert f"{server.url} {line}; messages are refused until that is fixed" in caplog.messages
        client.config_set("maxmemory", "0")
        client.replicaof("NO", "ONE")
    eventually(log.available)
    assert log.append(Draft("tea", "Ann", "x")).id == 2
    assert caplog.text.count("are refused until") == 1


def test_failure_during_a_probe_counts_as_down():
    server = Server("redis://127.0.0.1:1/0", 0.1)

    def fail() -> None:
        with pytest.raises(Unavailable):
            server.query(server.client.ping)

    server.probe(fail)
    assert server.is_down
    server.probe(lambda: None)
    assert not server.is_down


def test_full_redis_still_deletes_expired_messages(make_log, own):
    server, clock = own(), Clock(0.0)
    log = make_log(Retention(days=1), clock, server.url, check_interval=0.05, sweep_interval=0.1)
    log.append(Draft("tea", "Ann", "x"))
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(Unavailable):
            log.append(Draft("tea", "Ann", "x"))
        clock.now = 2 * DAY
        eventually(lambda: client.xlen(log_key("tea")) == 0)


def test_scripts_are_loaded_again_after_a_flush(make_log, server):
    log = make_log(url=server.url)
    log.append(Draft("tea", "Ann", "x"))
    with redis.Redis.from_url(server.url) as client:
        client.script_flush()
    assert log.append(Draft("tea", "Ann", "x")).id == 2


def test_checks_go_on_after_an_error(make_log, own, monkeypatch):
    server = own()
    log = make_log(url=server.url, check_interval=0.05)
    log.append(Draft("tea", "Ann", "x"))
    with monkeypatch.context() as patch:
        patch.setattr(log.feed, "check", lambda: 1 / 0)
        time.sleep(0.3)
    server.stop()
    with pytest.raises(Unavailable):
        log.append(Draft("tea", "Ann", "x"))
    server.start()
    eventually(log.available)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ResponseError("MISCONF Errors writing to the AOF file: full"), "free some space there"),
        (BusyLoadingError("Redis is loading the dataset in memory"), "wait until it has finished"),
        (ResponseError("WRONGTYPE Operation script: 5a"), "WRONGTYPE Operation); set CHATAPP_ST"),
    ],
)
def test_store_error_says_what_to_do(error, hint):
    line = str(store_error("redis://:secret@host:1/0", error))
    assert line.startswith("redis://:…@host:1/0 ")
    assert hint in line


def test_killed_redis_loses_nothing_with_appendfsync_always(make_log, own):
    server = own(appendfsync="always")
    ann, bo = (Node(make_log(url=server.url, check_interval=0.1)) for _ in range(2))
    bo.log.subscribe_room("tea")
    ann.append(20)
    server.kill()
    server.start()
    eventually(ann.log.available)
    eventually(bo.log.available)
    ann.append(20)
    eventually(lambda: bo.delivered == list(range(1, 41)), within=5)
    assert ann.delivered == bo.delivered


def test_nothing_is_missed_between_read_and_subscription(make_log, server):
    """The subscription is delayed here."""
    ann, bo = (Node(make_log(url=server.url, check_interval=60)) for _ in range(2))
    ann.append()
    bo.log.open()
    on_subscribed, gate = bo.log.feed.subscriber._on_subscribed, threading.Event()
    bo.log.feed.subscriber._on_subscribed = lambda room: gate.wait(5) and on_subscribed(room)
    waiting = threading.Thread(target=bo.log.subscribe_room, args=("tea",))
    waiting.start()
    eventually(lambda: bo.log.feed.delivery.has_started("tea"))
    assert len(bo.log.read("tea").entries) == 1
    ann.append(3)
    gate.set()
    waiting.join()
    eventually(lambda: bo.delivered == [2, 3, 4])


def test_unwanted_room_is_unsubscribed_and_can_be_subscribed_again(make_log, server):
    ann, bo = (Node(make_log(url=server.url, check_interval=0.05)) for _ in range(2))
    wanted = ["tea"]
    bo.log.subscribe(lambda _: None, lambda room: room in wanted)
    bo.log._wants.pop(0)
    bo.log.subscribe_room("tea")
    ann.append()
    eventually(lambda: bo.delivered == [1])
    wanted.clear()
    eventually(lambda: "tea" not in bo.log.feed.delivery)
    ann.append()
    wanted.append("tea")
    bo.log.subscribe_room("tea")
    ann.append()
    eventually(lambda: bo.delivered == [1, 3])


def both_deliver_20(ann: Node, bo: Node) -> str:
    """Deliver 20 messages at both nodes and return the epoch."""
    bo.log.subscribe_room("tea")
    ann.append(20)
    eventually(lambda: len(bo.delivered) == 20)
    return bo.log.epoch


def test_data_loss_starts_a_new_epoch_on_all_nodes(nodes, server, caplog):
    ann, bo = nodes
    epoch = both_deliver_20(ann, bo)
    resets = []
    for node in nodes:
        node.log.on_reset(lambda node=node: resets.append(node))
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    eventually(lambda: ann.log.epoch == bo.log.epoch != epoch)
    assert ann.log.read("tea").epoch == bo.log.epoch
    eventually(lambda: len(resets) == 2)
    assert set(resets) == set(nodes)
    assert "a new epoch has started" in caplog.text
    ann.append()
    eventually(lambda: bo.delivered[20:] == [1])


def test_append_below_a_delivered_number_starts_a_new_epoch(nodes, server):
    ann, bo = nodes
    epoch = both_deliver_20(ann, bo)
    with redis.Redis.from_url(server.url) as client:
        client.hset(NEWEST, "tea", "15 1000000")  # as if the last second was lost
        client.xtrim(log_key("tea"), minid="1-0")
    with suppress(Unavailable):
        bo.append()
    eventually(lambda: ann.log.epoch == bo.log.epoch != epoch)


def refused(url: str) -> str:
    log = RedisLog(url)
    with pytest.raises(StoreError) as refusal:
        log.open()
    log.close()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_unreachable_redis_is_refused(own):
    server = own()
    server.stop()
    assert "can't be reached" in refused(server.url)


def test_wrong_password_is_refused_and_not_shown(own):
    server = own(requirepass="secret")
    for password in ("", ":wrong-one@"):
        line = refused(server.url.replace("127.0.0.1", f"{password}127.0.0.1"))
        assert "password" in line
        assert "wrong-one" not in line


def test_missing_database_is_refused(server):
    assert "DB index is out of range" in refused(server.url.removesuffix("0") + "999")


def test_old_redis_is_refused(server, monkeypatch):
    monkeypatch.setattr(redis.Redis, "info", lambda *_: {"redis_version": "6.2.14"})
    assert refused(server.url) == (
        f"{server.url} is Redis 6.2.14; the chat needs 7 or newer: upgrade it"
    )


def test_redis_that_may_evict_keys_is_refused(own):
    assert "noeviction" in refused(own(**{"maxmemory-policy": "allkeys-lru"}).url)


def test_keys_of_another_program_are_refused(server):
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.set(f"{PREFIX}something", "else")
        assert "another program" in refused(server.url)
        client.flushall()
        client.set(SCHEMA, "2")
        assert "newer version" in refused(server.url)
        client.flushall()


def test_wrong_url_is_refused():
    for url in ("redis://127.0.0.1:port/0", "rediss://host/0?ssl_x=1"):
        with pytest.raises(StoreError, match="is not the URL of a Redis"):
            RedisLog(url)
