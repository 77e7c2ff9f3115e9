"""Damage of one key on Redis affects only the room or name that needs it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
import redis
from redis._parsers.base import BaseParser
from support.chat import LATER, NodeHarness
from support.log_contract import ALL, DAY, Clock, in_threads
from support.raw import eventually
from support.servers import RedisProcess

from chatapp.chat.log import Draft, Retention
from chatapp.errors import Damaged, StoreError, Unavailable
from chatapp.store.redis import tasks as redis_tasks
from chatapp.store.redis.damage import DamagedKey, classify_call_error
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import (
    DUE,
    EPOCH,
    LIKENESSES,
    NAMES,
    NEWEST,
    NODES,
    PREFIX,
    SCHEMA,
    at_key,
    channel,
    keys_key,
    log_key,
    users_key,
)

pytestmark = pytest.mark.server
SECRET = "a-text-of-a-client"
USERS = users_key("tea")


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def make_node(monkeypatch, redis_server, client):
    monkeypatch.setattr(redis_tasks, "SCRIPT", LATER)
    made: list[NodeHarness] = []

    def make(**options) -> NodeHarness:
        made.append(NodeHarness(redis_server.url, **options))
        made[-1].chat.open()
        return made[-1]

    yield make
    for node in made:
        node.close()


@pytest.fixture
def nodes(make_node):
    return make_node(), make_node()


@pytest.fixture
def make_log(redis_server, client):
    made: list[RedisLog] = []

    def make(retention=ALL, clock=lambda: 1000.0, **options) -> RedisLog:
        made.append(RedisLog(redis_server.url, retention, clock=clock, **options))
        return made[-1]

    yield make
    for log in made:
        log.close()


def look(*nodes: NodeHarness) -> None:
    """Run the periodic tasks of the nodes now."""
    for node in nodes:
        node.log.server.probe(node.log.feed.check)
        node.log._sweep()
        node.roster.lease.check()


def becomes_a_string(key: str) -> Callable[[redis.Redis], object]:
    def change(client: redis.Redis) -> None:
        client.delete(key)
        client.set(key, SECRET)

    change.__name__ = f"becomes_a_string {key}"
    return change


def lacks_a_field(client: redis.Redis) -> None:
    client.hset(NEWEST, "tea", "3 1")
    client.xadd(log_key("tea"), {"at": SECRET, "message": SECRET}, id="3-0")


def is_not_utf8(client: redis.Redis) -> None:
    client.hset(NEWEST, "tea", "3 1")
    fields = {"at": "1", "user": b"\xff", "message": SECRET, "key": "", "folded": "ann"}
    client.xadd(log_key("tea"), fields, id="3-0")


def newest_is(field: str) -> Callable[[redis.Redis], object]:
    def change(client: redis.Redis) -> None:
        client.hset(NEWEST, "tea", field)

    change.__name__ = f"newest_is {field:.5}"
    return change


def key_is_not_a_number(client: redis.Redis) -> None:
    client.hset(keys_key("tea"), "ann key-0002", SECRET)


def is_beyond(client: redis.Redis) -> None:
    fields = {"at": "1", "user": "Ann", "message": SECRET, "key": "", "folded": "ann"}
    client.xadd(log_key("tea"), fields, id="1700000000000-0")


def says(person) -> None:
    person.says(SECRET, room="tea", key="key-0002")


def joins(person) -> None:
    person.joins("tea")


def reads(person) -> None:
    person.reads("tea")


def types(person) -> None:
    person.types("tea")


def says_nothing(person) -> None:
    person.says(" ", room="tea", key="key-0002")


DAMAGES = [
    (becomes_a_string(log_key("tea")), says, f"TYPE {PREFIX}log:tea"),
    (becomes_a_string(log_key("tea")), joins, f"TYPE {PREFIX}log:tea"),
    (becomes_a_string(log_key("tea")), reads, f"TYPE {PREFIX}log:tea"),
    (becomes_a_string(keys_key("tea")), says, f"TYPE {PREFIX}keys:tea"),
    (becomes_a_string(keys_key("tea")), says_nothing, f"TYPE {PREFIX}keys:tea"),
    (key_is_not_a_number, says, f"HVALS {PREFIX}keys:tea"),
    (key_is_not_a_number, says_nothing, f"HVALS {PREFIX}keys:tea"),
    (lacks_a_field, joins, f"XRANGE {PREFIX}log:tea 3 3"),
    (lacks_a_field, reads, f"XRANGE {PREFIX}log:tea 3 3"),
    (is_not_utf8, joins, f"XRANGE {PREFIX}log:tea 3 3"),
    (is_beyond, says, f"XINFO STREAM {PREFIX}log:tea"),
    (newest_is(SECRET), says, f"HGET {PREFIX}newest tea"),
    (newest_is(SECRET), joins, f"HGET {PREFIX}newest tea"),
    (newest_is("2"), says, f"HGET {PREFIX}newest tea"),
    (newest_is(""), says, f"HGET {PREFIX}newest tea"),
    (newest_is("9" * 400 + " 1"), says, f"HGET {PREFIX}newest tea"),
    (becomes_a_string(USERS), joins, f"TYPE {PREFIX}users:tea"),
    (becomes_a_string(USERS), types, f"TYPE {PREFIX}users:tea"),
]


IDS = [f"{damage.__name__} {asks.__name__}" for damage, asks, _ in DAMAGES]


@pytest.mark.parametrize(("damage", "asks", "command"), DAMAGES, ids=IDS)
def test_damage_of_room_affects_only_that_room(nodes, client, caplog, damage, asks, command):
    one, two = nodes
    ann, bo = one.connects("Ann"), two.connects("Bo")
    for n, person in enumerate((ann, bo)):
        person.joins("tea")
        person.says("hello", room="tea", key=f"key-100{n}")
    for node in nodes:  # both have delivered everything
        look(node)
    damage(client)
    for _ in range(20):
        with pytest.raises(Damaged):
            asks(ann)
    for n in range(3):
        look(one, two)
        for node, person in ((one, ann), (two, bo)):
            assert person.says(f"here {n}").ok
            assert person.joins("cake").ok
            assert person.leaves("cake").ok
            assert node.connects(f"New {n} {person.id}").joins().ok
            assert node.log.available()
    eventually(lambda: said_in_lobby(ann) == said_in_lobby(bo) == [1, 2, 3, 4, 5, 6])
    assert client.get(EPOCH).decode() == one.log.epoch == two.log.epoch
    lines = [line for line in caplog.messages if f"`redis-cli {command}`" in line]
    assert 1 <= len(lines) <= len(nodes)
    assert not any(record.exc_info for record in caplog.records)
    assert len(caplog.records) <= 2 * len(nodes)
    assert SECRET not in caplog.text


def said_in_lobby(person) -> list[int]:
    return [
        said[2]["id"] for said in person.heard if said[0] == "newmsg" and said[2]["room"] == "lobby"
    ]


def test_repaired_room_is_available_again(nodes, client):
    one, two = nodes
    ann, bo = one.connects("Ann"), two.connects("Bo")
    for person in (ann, bo):
        person.joins("tea")
    ann.says("1", room="tea")
    kept = client.dump(log_key("tea"))
    becomes_a_string(log_key("tea"))(client)
    becomes_a_string(USERS)(client)
    with pytest.raises(Damaged):
        bo.says("2", room="tea")
    client.restore(log_key("tea"), 0, kept, replace=True)
    client.delete(USERS)
    assert bo.says("2", room="tea").id == 2
    assert [person.joins("tea").count for person in (ann, bo)] == [1, 2]
    eventually(lambda: heard_in_tea(ann) == [1, 2])


def test_node_behind_in_damaged_room_delivers_the_rest(nodes, client):
    """It reads the entries that it missed, and skips those that can't be parsed."""
    one, two = nodes
    ann, bo = one.connects("Ann"), two.connects("Bo")
    for person in (ann, bo):
        person.joins("tea")
    two.log.feed.subscriber._on_message = lambda *_: None  # only the check delivers
    for text in ("1", "2", "3"):
        ann.says(text, room="tea")
    client.xdel(log_key("tea"), "2-0")
    script = "local kept = redis.call('XRANGE', KEYS[1], '3-0', '3-0')[1][2] "
    script += "redis.call('DEL', KEYS[1]) redis.call('XADD', KEYS[1], '2-0', unpack(ARGV)) "
    script += "return redis.call('XADD', KEYS[1], '3-0', unpack(kept))"
    client.eval(script, 1, log_key("tea"), "at", "x", "user", "Ann")
    look(two)
    heard = [said[2]["id"] for said in bo.heard if said[0] == "newmsg"]
    assert heard[-1] == 3
    assert 2 not in heard


# Batches


def held_up(batches, calls: list[Callable[[], object]], is_one=lambda draft: True) -> list[object]:
    """Run calls that wait for one batch, and return what they return or raise.

    `is_one(draft)` returns whether a draft belongs to a call.
    """
    outcomes: list[object] = [None] * len(calls)

    def run(n: int) -> None:
        try:
            outcomes[n] = calls[n]()
        except Unavailable as error:
            outcomes[n] = error

    with batches._writing:
        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
        for thread in threads:
            thread.start()
        eventually(lambda: sum(map(is_one, batches._next_batch.drafts)) == len(calls))
    for thread in threads:
        thread.join()
    return outcomes


def test_failed_message_does_not_fail_others_of_its_batch(make_log, client):
    log = make_log()
    for room in ("cake", "tea"):
        log.append(Draft(room, "Ann", "x"))
    becomes_a_string(log_key("tea"))(client)
    rooms = ["tea", "cake", "lobby"] * 5
    heard: list[str] = []
    log.subscribe(lambda batch: heard.extend(entry.room for entry in batch))
    calls = [lambda room=room: log.append(Draft(room, "Ann", "x")) for room in rooms]
    outcomes = held_up(log._batches, calls)
    for room, outcome in zip(rooms, outcomes, strict=True):
        assert isinstance(outcome, Damaged) is (room == "tea"), outcome
    assert sorted(heard) == ["cake"] * 5 + ["lobby"] * 5
    assert client.hmget(NEWEST, "cake", "lobby") == [b"6 1000000", b"5 1000000"]


def test_failed_claim_does_not_fail_others_of_its_batch(nodes, client):
    one, _ = nodes
    client.hset(NAMES, "bad", b"\xc1")
    names = ["Ann", "Bad", "Bo", "Cy"]
    people = [one.connects() for _ in names]
    calls = [lambda p=p, name=name: p.sets(name) for p, name in zip(people, names, strict=True)]
    outcomes = held_up(one.roster.tasks._batches, calls, lambda task: task.name == "claim")
    assert [isinstance(outcome, Damaged) for outcome in outcomes] == [False, True, False, False]
    assert one.names() == ["Ann", "Bo", "Cy"]


def test_undeliverable_room_does_not_fail_others_of_its_batch(make_log):
    log = make_log()
    log.open()
    log.feed.delivery.start("tea")
    log.feed.delivery.catch_up_to("tea", 0)

    def missed(room: str, since: int, until: int):
        raise Damaged

    log.feed.delivery._read = missed
    other = RedisLog(log.server.url, ALL)
    other.append(Draft("tea", "Bo", "elsewhere"))
    calls = [lambda room=room: log.append(Draft(room, "Ann", "x")) for room in ("tea", "cake")]
    outcomes = held_up(log._batches, calls)
    other.close()
    assert isinstance(outcomes[0], Unavailable)
    assert outcomes[1].id == 1


# Names


def record(**fields) -> bytes:
    whole = {"user": "Ann", "entry": "ann\0Ann", "node": "n", "holder": "h", "token": ""}
    return msgspec.msgpack.encode({**whole, "hold": 0, "ends": 0, "rooms": {}, **fields})


RECORDS = [
    b"",
    b"\xc1",
    b"x",
    b"\x80",
    msgspec.msgpack.encode([1, 2]),
    record(user=1),
    record(holder=None),
    record(node={}),
    record(token=5),
    record(hold="x"),
    record(ends=None),
    record(rooms="tea"),
    record(rooms={"tea": "x"}),
    record(rooms=["tea"]),
    record(likeness=1),
]


@pytest.mark.parametrize("garbage", RECORDS, ids=range(len(RECORDS)))
def test_damaged_name_affects_only_its_holder(nodes, client, caplog, garbage):
    one, two = nodes
    ann, bo = one.connects("Ann", hold=True), two.connects("Bo")
    ann.joins("tea")
    client.hset(NAMES, "ann", garbage)
    for _ in range(5):
        with pytest.raises(Damaged):
            ann.says(SECRET)
        with pytest.raises(Damaged):
            ann.joins("tea")
        assert two.connects().tries("Ann") == "unavailable"
        assert two.connects().tries("Ann", token="A" * 22) == "unavailable"
    client.zadd(DUE, {"ann": 1})
    client.sadd(at_key(one.roster.tasks.node), "nobody")
    look(one, two)
    assert ann.leaves("tea").ok
    ann.breaks_off()
    assert one.roster.tasks.owed == two.roster.tasks.owed == type(one.roster.tasks.owed)()
    for node in (one, two):
        assert node.connects(f"New {node.roster.tasks.node}").says("hi").ok
        assert node.log.available()
    assert bo.says("hi").ok
    lines = [line for line in caplog.messages if f"`redis-cli HVALS {NAMES}`" in line]
    assert len(lines) == len(caplog.records) == 2
    assert not any(record.exc_info for record in caplog.records)
    assert SECRET not in caplog.text
    assert "ann" not in caplog.text.lower()
    client.hdel(NAMES, "ann")
    assert two.connects().tries("Ann") == ""


def test_client_with_damaged_name_can_change_it(nodes, client):
    one, two = nodes
    ann = one.connects("Ann")
    client.hset(NAMES, "ann", b"\xc1")
    ann.sets("Anna")
    assert ann.says("hi").ok
    ann.goes()
    two.connects("Anna")


def test_damaged_name_does_not_stop_others_from_expiring(nodes, client):
    one, two = nodes
    for n in range(5):
        one.connects(f"Name {n}", hold=True).breaks_off()
    for n in (0, 2):
        client.hset(NAMES, f"name {n}", b"\xc1")
    one.wait(31)
    assert client.hlen(NAMES) == 2
    assert client.zcard(DUE) == 0
    look(one, two)


@pytest.mark.parametrize("key", [USERS, DUE, LIKENESSES])
def test_list_of_wrong_type_does_not_affect_names(nodes, client, caplog, key):
    one, two = nodes
    watcher = two.connects("Watcher")
    ann, bo = one.connects("Ann", hold=True), one.connects("Bo")
    for person in (watcher, ann, bo):
        person.joins("tea")
    becomes_a_string(key)(client)
    bo.sets("Bob")
    bo.goes()
    ann.breaks_off()
    two.connects("Bo").goes()
    one.wait(31)
    assert two.connects("Ann").says("hi").ok
    assert two.connects("Bob").says("hi").ok
    assert two.names()[:2] == ["Ann", "Bob"]
    assert [line for line in caplog.messages if f"`redis-cli TYPE {key}`" in line]
    assert len(caplog.records) <= 2
    assert SECRET not in caplog.text


def test_dead_node_with_damaged_list_is_removed(make_node, client):
    one, dead, two = make_node(lease=10), make_node(lease=10), make_node()
    one.connects("Ann")
    dead.connects("Bo")
    becomes_a_string(at_key(one.roster.tasks.node))(client)
    for node in (one, dead):
        node.roster.lease._closed.set()
        node.log.feed._closed.set()
        node.log.feed.subscriber.close()
        node.close = lambda: None
    two.roster.lease._connected_since = float("-inf")
    two.wait(11)
    two.wait(0)
    assert client.zrange(NODES, 0, -1) == [two.roster.tasks.node.encode()]
    two.connects("Ann")
    two.connects("Bo")


# Loops, start and end


def test_sweep_continues_after_damaged_room(make_log, client, caplog):
    clock = Clock(0.0)
    log = make_log(Retention(days=1), clock)
    rooms = [f"room-{n}" for n in range(20)]
    for room in rooms:
        log.append(Draft(room, "Ann", "x", "key-0001"))
    becomes_a_string(log_key("room-3"))(client)
    becomes_a_string(keys_key("room-5"))(client)
    client.hset(NEWEST, mapping={"room-7": "junk", b"\xff": "1 1", "no room": "1 1"})
    client.xadd(log_key("room-9"), {"at": "x"}, id="2-0")
    clock.now = 2 * DAY
    log._sweep()
    swept = [n for n in range(20) if n not in (3, 5, 7, 9)]
    assert not any(client.xlen(log_key(f"room-{n}")) for n in swept)
    assert client.xlen(log_key("room-9")) == 1
    assert len(caplog.records) == 3
    assert log.available()


def test_node_starts_beside_a_damaged_lobby(make_node, client, caplog):
    client.set(SCHEMA, "1")
    client.hset(NEWEST, "lobby", SECRET)
    client.set(users_key("lobby"), SECRET)
    node = make_node()
    ann = node.connects("Ann")
    with pytest.raises(Damaged):
        ann.says("hi")
    assert ann.joins("tea").users == ["Ann"]
    assert ann.says("hi", room="tea").ok
    client.hdel(NEWEST, "lobby")
    client.delete(users_key("lobby"))
    assert ann.joins().users == ["Ann"]
    assert ann.says("hi").id == 1
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("key", [EPOCH, SCHEMA])
def test_start_names_the_damaged_key(redis_server, client, key):
    client.set(SCHEMA, "1")
    client.delete(key)
    client.hset(key, "a", "b")
    log = RedisLog(redis_server.url)
    with pytest.raises(StoreError, match=f"`redis-cli TYPE {key}`"):
        log.open()
    log.close()


def test_start_is_refused_with_a_damaged_epoch(redis_server, client):
    client.set(SCHEMA, "1")
    client.set(EPOCH, b"\xff\n")
    log = RedisLog(redis_server.url)
    with pytest.raises(StoreError, match=f"`redis-cli GET {EPOCH}`"):
        log.open()
    log.close()


def test_new_epoch_starts_beside_a_damaged_room(nodes, client):
    one, two = nodes
    ann = one.connects("Ann")
    ann.joins("tea")
    for room in ("tea", "lobby"):
        ann.says("x", room=room)
    epoch = one.log.epoch
    client.hset(NEWEST, "tea", "junk")
    client.set(EPOCH, b"\xff")
    look(one, two)
    assert one.log.epoch == two.log.epoch != epoch
    assert client.get(EPOCH).decode() == one.log.epoch
    client.hdel(NEWEST, "tea")
    client.delete(log_key("tea"))
    look(one, two)
    assert client.get(EPOCH).decode() == one.log.epoch


@pytest.mark.parametrize("key", [NEWEST, NAMES, NODES])
def test_damaged_shared_key_counts_as_down(nodes, client, caplog, key):
    one, two = nodes
    ann = one.connects("Ann")
    ann.says("hi")
    kept = client.dump(key)
    becomes_a_string(key)(client)
    for _ in range(5):
        with pytest.raises(Unavailable):
            ann.says("hi")
    assert not one.log.available()
    with suppress(Unavailable):
        look(one)
    assert not one.log.available()
    client.restore(key, 0, kept, replace=True)
    eventually(lambda: one.log.available() and two.log.available())
    assert ann.says("hi").id == 2
    lines = [line for line in caplog.messages if f"`redis-cli TYPE {key}`" in line]
    assert 1 <= len(lines) <= 2
    assert not any(record.exc_info for record in caplog.records)


# What others publish


def test_published_number_beyond_the_newest_is_dropped(nodes, client, caplog):
    one, two = nodes
    ann, bo = one.connects("Ann"), two.connects("Bo")
    bo.joins("tea")
    ann.joins("tea")
    ann.says("1", room="tea")
    epoch = one.log.epoch
    for number in ("1000", "9" * 15, "-5", "0", "x", "9" * 5000):
        said = ["newmsg", epoch, number, "1", "Ann", SECRET, ""]
        client.publish(channel("tea"), msgspec.msgpack.encode(said))
    wrong = [["hint", epoch, "userLeft", "x", 1, 2, 3]]
    for arguments in (None, b"[1]", SECRET, "{}", "[NaN]", '["\\ud800"]', "[" * 2000):
        wrong.append(["broadcast", epoch, "userTyping", arguments, ""])
    for data in (b"", b"\x90", *map(msgspec.msgpack.encode, wrong)):
        client.publish(channel("tea"), data)
    ann.says("2", room="tea")
    eventually(lambda: heard_in_tea(bo) == [1, 2])
    look(one, two)
    assert one.log.epoch == epoch
    assert heard_in_tea(ann) == [1, 2]
    assert [said for said in bo.heard if said[0] == "userTyping"] == []
    lines = [line for line in caplog.messages if "another program publishes" in line]
    assert len(lines) == len(caplog.records) == 2


def heard_in_tea(person) -> list[int]:
    return [
        said[2]["id"] for said in person.heard if said[0] == "newmsg" and said[2]["room"] == "tea"
    ]


# Classification of errors

SERVER_ERRORS = [
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "NOPERM ACL failure in script: No permissions to access a key script: 5a, on @user_script:3.",
    "CLUSTERDOWN The cluster is down",
    "MOVED 866 10.0.0.1:6379",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "OOM command not allowed when used memory > 'maxmemory'. script: 5a, on @user_script:3.",
    "READONLY You can't write against a read only replica. script: 5a, on @user_script:3.",
    "MISCONF Errors writing to the AOF file: No space left on device script: 5a, on @user_script:3",
    "NOREPLICAS Not enough good replicas to write. script: 5a, on @user_script:3.",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "UNKILLABLE Sorry the script already executed write commands against the dataset.",
    "ERR max number of clients reached",
    "ERR DB index is out of range",
    "ERR unknown command 'EVALSHA', with args beginning with: '5a' '0' 'claim' 'Ann'",
]
KEY_ERRORS = [
    "WRONGTYPE Operation against a key holding the wrong kind of value script: 5a, on @user_scri",
    "ERR user_script:5: attempt to compare nil with number script: 5a, on @user_script:5.",
    "ERR Invalid stream ID specified as stream command argument script: 5a, on @user_script:5.",
]


@pytest.mark.parametrize("answer", SERVER_ERRORS)
def test_server_error_is_not_damage(answer):
    error = BaseParser.parse_error(answer)
    assert classify_call_error(error, [log_key("tea")]) is error


@pytest.mark.parametrize("answer", KEY_ERRORS)
def test_error_in_a_script_is_damage_of_its_key(answer):
    damage = classify_call_error(BaseParser.parse_error(answer), [log_key("tea")])
    assert isinstance(damage, DamagedKey)
    assert not damage.is_shared
    assert damage.command == "TYPE " + log_key("tea")


def test_hanging_redis_counts_as_down_beside_a_damaged_room(tmp_path):
    server = RedisProcess(tmp_path)
    log = RedisLog(server.url, ALL, patience=0.5, check_interval=0.1)
    try:
        log.append(Draft("tea", "Ann", "x"))
        with redis.Redis.from_url(server.url) as client:
            becomes_a_string(log_key("tea"))(client)
        in_threads(lambda n: suppressed(log, ("tea", "lobby")[n % 2]), 20)
        assert log.available()
        server.process.send_signal(signal.SIGSTOP)
        suppressed(log, "lobby")
        assert not log.available()
        server.process.send_signal(signal.SIGCONT)
        eventually(log.available)
        assert log.append(Draft("lobby", "Ann", "x")).id > 10
    finally:
        server.process.send_signal(signal.SIGCONT)
        log.close()
        server.stop()


def suppressed(log: RedisLog, room: str) -> None:
    with suppress(Unavailable):
        log.append(Draft(room, "Ann", "x"))
