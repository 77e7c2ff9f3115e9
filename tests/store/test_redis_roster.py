"""Names in a cluster: the rules between nodes. Those at one node are in tests/chat/."""

from __future__ import annotations

import signal
import threading
import time

import msgspec
import pytest
import redis
from support.chat import AHEAD, LATER, NodeHarness
from support.raw import eventually
from support.servers import RedisProcess

from chatapp.chat.client import DisconnectReason
from chatapp.errors import NameLost, NameTaken, Unavailable
from chatapp.store.redis import tasks as redis_tasks
from chatapp.store.redis.scripts import EPOCH, LIKENESSES, NAMES, NODES, PREFIX, SCHEMA

pytestmark = pytest.mark.server


@pytest.fixture
def make_node(monkeypatch, redis_server):
    monkeypatch.setattr(redis_tasks, "SCRIPT", LATER)
    made: list[NodeHarness] = []
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()

    def make(url=redis_server.url, **options) -> NodeHarness:
        made.append(NodeHarness(url, **options))
        made[-1].chat.open()
        return made[-1]

    yield make
    for node in made:
        node.close()


@pytest.fixture
def nodes(make_node):
    return make_node(), make_node()


def kill(node: NodeHarness) -> None:
    """Stop a node as if its process was killed: it sends nothing more."""
    node.roster.lease._closed.set()
    node.log.feed._closed.set()
    node.log.feed.subscriber.close()
    node.close = lambda: None


def news(person) -> list[tuple]:
    found = [said for said in person.heard if said[0].startswith("user") and said[0] != "userSet"]
    person.heard.clear()
    return found


def test_name_is_unique_on_all_nodes(nodes):
    one, two = nodes
    ann = one.connects("Ann")
    with pytest.raises(NameTaken):
        two.connects("ANN")
    ann.goes()
    two.connects("ANN")


def test_joins_and_leaves_are_announced_on_all_nodes(nodes):
    one, two = nodes
    watcher = one.connects("Watcher")
    watcher.joins("tea")
    news(watcher)
    bo = two.connects("Bo")
    bo.joins("tea")
    bo.types("tea")
    bo.sets("Bob")
    assert watcher.joins("tea").users == ["Bob", "Watcher"]
    bo.goes()
    told = [(event, change["room"]) for event, change in news(watcher)]
    assert told == [
        ("userJoined", "lobby"),
        ("userJoined", "tea"),
        ("userTyping", "tea"),
        ("userRenamed", "lobby"),
        ("userRenamed", "tea"),
        ("userLeft", "lobby"),
        ("userLeft", "tea"),
    ]
    assert one.names() == two.names() == ["Watcher"]


def test_messages_are_delivered_on_all_nodes(nodes):
    one, two = nodes
    ann, bo = one.connects("Ann"), two.connects("Bo")
    for n in range(20):
        (ann, bo)[n % 2].says(f"message {n}")
    for person in (ann, bo):
        eventually(lambda person=person: len(messages(person)) == 20)
        assert messages(person) == list(range(1, 21))


def messages(person) -> list[int]:
    return [said[2]["id"] for said in person.heard if said[0] == "newmsg"]


def test_one_of_two_hundred_concurrent_claims_succeeds(nodes):
    rounds, people = 20, 200
    everybody = [nodes[n % 2].connects() for n in range(people)]
    barrier = threading.Barrier(people)
    winners: list[list] = [[] for _ in range(rounds)]

    def ask(person) -> None:
        for n in range(rounds):
            barrier.wait()
            if person.tries(f"Ann {n}") == "":
                winners[n].append(person)

    asking = [threading.Thread(target=ask, args=(person,)) for person in everybody]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert [len(each) for each in winners] == [1] * rounds


def test_takeover_across_nodes(nodes):
    one, two = nodes
    watcher, ann = one.connects("Watcher"), one.connects("Ann", hold=True)
    ann.joins("tea")
    news(watcher)
    again = two.connects("Ann", token=ann.token, hold=True)
    assert ann.heard[-1] == ("refused", "setUsername", "taken_over")
    assert one.audience.closed == [ann.id]
    ann.ends(DisconnectReason.CONNECTION_LOST)
    assert again.says("mine").ok
    assert again.joins("tea").users == ["Ann"]
    assert news(watcher) == []


def test_lost_name_cannot_send_even_before_its_node_is_told(nodes):
    one, two = nodes
    ann = one.connects("Ann", hold=True)
    one.log.feed.subscriber._on_hint = lambda *_: None
    two.connects("Ann", token=ann.token, hold=True)
    with pytest.raises(NameLost):
        ann.says("still me?")
    assert one.audience.closed == [ann.id]
    with pytest.raises(NameLost):
        ann.joins("tea")


def test_typing_under_a_lost_name_is_not_sent(nodes):
    one, two = nodes
    watcher, ann = two.connects("Watcher"), one.connects("Ann", hold=True)
    one.log.feed.subscriber._on_hint = lambda *_: None
    two.connects("Ann", token=ann.token, hold=True)
    news(watcher)
    assert ann.types().ok
    assert news(watcher) == []


def test_typing_in_another_database_is_not_delivered(make_node, redis_server):
    """A Redis channel is shared by all databases."""
    one, two = make_node(), make_node(redis_server.url[:-1] + "1")
    ann, bo, cy = one.connects("Ann"), two.connects("Bo"), one.connects("Cy")
    for person in (ann, bo, cy):
        person.joins("tea")
        news(person)
    ann.types("tea")
    assert news(cy) == [("userTyping", {"room": "tea", "user": "Ann"})]
    assert news(bo) == []


def test_names_of_dead_node_expire_with_its_lease(make_node):
    one, two = make_node(lease=10), make_node(lease=3600)
    one.connects("Ann").joins("tea")
    ann = one.connects("Held", hold=True)
    watcher = two.connects("Watcher")
    watcher.joins("tea")
    news(watcher)
    kill(one)
    two.wait(9)
    with pytest.raises(NameTaken):
        two.connects("Ann")
    assert watcher.joins("tea").users == ["Ann", "Watcher"]
    two.roster.lease._connected_since = float("-inf")
    two.wait(2)
    assert news(watcher) == [
        ("userLeft", {"room": "lobby", "user": "Ann"}),
        ("userLeft", {"room": "tea", "user": "Ann"}),
    ]
    two.connects("Ann")
    two.wait(28)  # the hold is counted from the end of the lease
    assert two.names() == ["Ann", "Held", "Watcher"]
    back = two.connects("Held", token=ann.token, hold=True)
    back.breaks_off()
    two.wait(29)
    assert "Held" in two.names()
    two.wait(2)
    assert two.names() == ["Ann", "Watcher"]


def test_claim_expires_name_of_dead_node(make_node):
    one, two = make_node(lease=10), make_node(lease=3600)
    one.connects("Ann")
    kill(one)
    two.roster.lease._closed.set()  # no check expires it
    two.log.server.client.incrby(AHEAD, 11_000)
    two.connects("Ann")


def test_node_without_lease_resets_its_clients(make_node):
    """The node was suspended for longer than its lease."""
    one, two = make_node(lease=10), make_node(lease=3600)
    ann = one.connects("Ann")
    was = one.roster.tasks.node
    two.roster.lease._connected_since = float("-inf")
    one.roster.lease._closed.set()  # it doesn't renew its lease
    two.wait(11)
    two.connects("Ann")
    with pytest.raises(NameLost):
        ann.says("still me?")
    with pytest.raises(Unavailable):
        one.connects().sets("Bo")
    one.roster.lease.check()
    assert one.roster.tasks.node != was
    assert set(one.audience.closed) >= {ann.id}
    ann.breaks_off()
    one.connects("Bo")
    assert two.names() == ["Ann", "Bo"]


def test_no_node_expires_because_redis_was_down(make_node):
    """The first node that is back waits for a lease until it expires others."""
    one, two = make_node(lease=10), make_node(lease=10)
    ann = one.connects("Ann")
    two.roster.lease._connected_since = time.monotonic()  # Redis is just back
    two.log.server.client.incrby(AHEAD, 60_000)
    two.roster.lease._renewed_at = one.roster.lease._renewed_at = float("-inf")
    two.roster.lease.check()
    with pytest.raises(NameTaken):
        two.connects("Ann")
    one.roster.lease.check()
    assert ann.says("still me").ok


def test_delayed_task_expires_no_node(make_node):
    """The task was sent before Redis hung for longer than all leases."""
    one, two = make_node(lease=10), make_node(lease=10)
    ann = one.connects("Ann")
    for node in (one, two):
        node.roster.lease._closed.set()
    two.log.server.client.incrby(AHEAD, 60_000)
    assert two.roster.tasks.run("expire_node") == 0
    for node in (one, two):
        node.roster.lease.renew()
    assert ann.says("still me").ok


def test_stopped_node_leaves_only_held_names(nodes):
    one, two = nodes
    one.connects("Ann", hold=True)
    one.connects("Bo")
    one.close()
    assert two.names() == ["Ann"]
    assert two.log.server.client.zrange(NODES, 0, -1) == [two.roster.tasks.node.encode()]


def test_free_names_leave_no_keys(nodes):
    one = nodes[0]
    people = [node.connects(f"Name {n}", hold=n % 2) for n, node in enumerate(nodes)]
    for person in people:
        person.joins("tea")
        person.goes()
    kept = {key.decode() for key in one.log.server.client.scan_iter(f"{PREFIX}*")}
    assert kept <= {EPOCH, SCHEMA, NODES, AHEAD}


# While Redis is down


@pytest.fixture
def own(tmp_path):
    server = RedisProcess(tmp_path)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def stoppable(make_node, own):
    """Two nodes on a Redis that the test can stop."""
    return make_node(own.url), make_node(own.url)


def wait_until_available(*nodes: NodeHarness) -> None:
    for node in nodes:
        eventually(node.log.available)


def test_claims_and_joins_are_refused_while_redis_is_down(stoppable, own):
    one, _ = stoppable
    ann, bo = one.connects("Ann"), one.connects()
    own.stop()
    for _ in range(2):
        with pytest.raises(Unavailable):
            bo.sets("Bo")
        with pytest.raises(Unavailable):
            ann.joins("tea")
        with pytest.raises(Unavailable):
            ann.types()
    assert not one.audience.is_in(ann.id, "tea")
    own.start()
    wait_until_available(one)
    bo.sets("Bo")
    assert ann.joins("tea").users == ["Ann"]


def test_claims_refused_while_redis_is_down_leave_no_state(stoppable, own):
    one, _ = stoppable
    ann = one.connects("Ann")
    own.stop()
    for n in range(100):
        with pytest.raises(Unavailable):
            ann.sets(f"Name {n}")
    assert len(one.roster._names[ann.id]) <= 2
    ann.breaks_off()
    assert len(one.roster.tasks.owed) <= 2


def test_disconnect_while_redis_is_down_is_applied_afterwards(stoppable, own):
    one, two = stoppable
    ann, bo, cy = (one.connects(name, hold=name == "Cy") for name in ("Ann", "Bo", "Cy"))
    for person in (ann, bo):
        person.joins("tea")
    own.stop()
    ann.goes()
    cy.breaks_off()
    assert bo.leaves("tea").ok
    own.start()
    wait_until_available(one, two)
    eventually(lambda: two.names() == ["Bo", "Cy"])
    assert two.connects("Watcher").joins("tea").users == ["Watcher"]


def test_claim_with_unknown_outcome_is_kept_or_released(stoppable, own, monkeypatch):
    """Redis gives the name, and the answer is lost."""
    one, two = stoppable
    ann, bo = one.connects("Ann"), one.connects()
    ask = one.log.query

    def lose(question):
        ask(question)
        raise Unavailable

    monkeypatch.setattr(one.log, "query", lose)
    for person, name in ((ann, "Anna"), (bo, "Bo")):
        with pytest.raises(Unavailable):
            person.sets(name)
    monkeypatch.setattr(one.log, "query", ask)
    bo.sets("Bo")
    with pytest.raises(NameLost):  # Redis has Anna by now
        ann.says("hi")
    ann.breaks_off()
    two.connects("Ann")
    two.connects("Anna")
    bo.breaks_off()
    two.connects("Bo")


def test_names_that_redis_has_lost_are_free(stoppable, own):
    """Redis has lost all data, and clients reconnect."""
    one, two = stoppable
    ann = one.connects("Ann")
    ann.says("hi")
    with redis.Redis.from_url(own.url) as client:
        client.flushall()
    eventually(lambda: ann.id in one.audience.closed)
    ann.breaks_off()
    eventually(lambda: two.connects().tries("Ann") == "")
    assert one.log.server.client.hlen(NAMES) == 1


def test_name_given_by_an_earlier_version_is_reclaimed(nodes):
    """Its record has no other key."""
    one, two = nodes
    bob = one.connects("\u0412ob", hold=True)  # Cyrillic
    bob.breaks_off()
    client = one.log.server.client
    (key, packed), *others = client.hgetall(NAMES).items()
    record = msgspec.msgpack.decode(packed)
    assert (record.pop("likeness"), others) == ("bob", [])
    client.hset(NAMES, key, msgspec.msgpack.encode(record))
    client.delete(LIKENESSES)
    latin = two.connects("Bob")
    back = two.connects("\u0412ob", token=bob.token, hold=True)
    assert back.token == bob.token
    latin.goes()
    assert two.connects().tries("Bob") == "name_taken"
    back.goes()
    two.connects("Bob").goes()
    assert not client.exists(NAMES, LIKENESSES)
