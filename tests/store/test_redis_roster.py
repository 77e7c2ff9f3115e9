"""Names of a cluster: what holds between its nodes; what holds at each, the chat's tests say."""

from __future__ import annotations

import signal
import threading
import time

import pytest
import redis
from support.chat import LATER, NodeHarness
from support.raw import eventually
from support.servers import RedisProcess

from chatapp.chat.client import Gone
from chatapp.errors import NameLost, NameTaken, Unavailable
from chatapp.store.redis import roster as redis_roster
from chatapp.store.redis.scripts import NAMES, NODES

pytestmark = pytest.mark.server


@pytest.fixture
def make_node(monkeypatch, redis_server):
    monkeypatch.setattr(redis_roster, "SCRIPT", LATER)
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


def dies(node: NodeHarness) -> None:
    """As if the process were killed: nothing is told any more."""
    node.roster._closed.set()
    node.log._closed.set()
    node.log.listener.close()
    node.close = lambda: None


def news(person) -> list[tuple]:
    found = [said for said in person.heard if said[0].startswith("user") and said[0] != "userSet"]
    person.heard.clear()
    return found


def test_a_name_is_one_persons_on_all_nodes(nodes):
    one, two = nodes
    ann = one.connects("Ann")
    with pytest.raises(NameTaken):
        two.connects("ANN")
    ann.goes()
    two.connects("ANN")


def test_all_nodes_hear_who_comes_and_goes(nodes):
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


def test_all_hear_what_is_said_at_any_node(nodes):
    one, two = nodes
    ann, bo = one.connects("Ann"), two.connects("Bo")
    for n in range(20):
        (ann, bo)[n % 2].says(f"message {n}")
    for person in (ann, bo):
        eventually(lambda person=person: len(messages(person)) == 20)
        assert messages(person) == list(range(1, 21))


def messages(person) -> list[int]:
    return [said[2]["id"] for said in person.heard if said[0] == "newmsg"]


def test_two_hundred_ask_for_one_name_and_one_gets_it(nodes):
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


def test_a_name_is_taken_over_across_nodes(nodes):
    one, two = nodes
    watcher, ann = one.connects("Watcher"), one.connects("Ann", hold=True)
    ann.joins("tea")
    news(watcher)
    again = two.connects("Ann", token=ann.token, hold=True)
    assert ann.heard[-1] == ("refused", "setUsername", "taken_over")
    assert one.audience.closed == [ann.id]
    ann.ends(Gone.BROKEN)
    assert again.says("mine").ok
    assert again.joins("tea").users == ["Ann"]
    assert news(watcher) == []


def test_who_was_taken_over_speaks_no_more_even_before_it_hears_so(nodes):
    one, two = nodes
    ann = one.connects("Ann", hold=True)
    one.log.listener._on_hint = lambda *_: None
    two.connects("Ann", token=ann.token, hold=True)
    with pytest.raises(NameLost):
        ann.says("still me?")
    assert one.audience.closed == [ann.id]
    with pytest.raises(NameLost):
        ann.joins("tea")


def test_typing_under_a_lost_name_is_not_sent(nodes):
    one, two = nodes
    watcher, ann = two.connects("Watcher"), one.connects("Ann", hold=True)
    one.log.listener._on_hint = lambda *_: None
    two.connects("Ann", token=ann.token, hold=True)
    news(watcher)
    assert ann.types().ok
    assert news(watcher) == []


def test_typing_in_another_database_is_not_heard(make_node, redis_server):
    """A Redis channel is shared by all databases."""
    one, two = make_node(), make_node(redis_server.url[:-1] + "1")
    ann, bo, cy = one.connects("Ann"), two.connects("Bo"), one.connects("Cy")
    for person in (ann, bo, cy):
        person.joins("tea")
        news(person)
    ann.types("tea")
    assert news(cy) == [("userTyping", {"room": "tea", "user": "Ann"})]
    assert news(bo) == []


def test_a_dead_nodes_names_are_free_when_its_lease_ends(make_node):
    one, two = make_node(lease=10), make_node(lease=3600)
    one.connects("Ann").joins("tea")
    ann = one.connects("Held", hold=True)
    watcher = two.connects("Watcher")
    watcher.joins("tea")
    news(watcher)
    dies(one)
    two.wait(9)
    with pytest.raises(NameTaken):
        two.connects("Ann")
    assert watcher.joins("tea").users == ["Ann", "Watcher"]
    two.roster._in_touch_since = float("-inf")
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


def test_a_claim_alone_frees_a_dead_nodes_name(make_node):
    one, two = make_node(lease=10), make_node(lease=3600)
    one.connects("Ann")
    dies(one)
    two.roster._closed.set()  # nobody looks
    two.log.server.client.incrby("chatapp:ahead", 11_000)
    two.connects("Ann")


def test_a_node_that_lost_its_lease_begins_anew(make_node):
    """It was stopped for a while, and continued."""
    one, two = make_node(lease=10), make_node(lease=3600)
    ann = one.connects("Ann")
    was = one.roster._node
    two.roster._in_touch_since = float("-inf")
    one.roster._closed.set()  # it doesn't renew its lease
    two.wait(11)
    two.connects("Ann")
    with pytest.raises(NameLost):
        ann.says("still me?")
    with pytest.raises(Unavailable):
        one.connects().sets("Bo")
    one.roster._look()
    assert one.roster._node != was
    assert set(one.audience.closed) >= {ann.id}
    ann.breaks_off()
    one.connects("Bo")
    assert two.names() == ["Ann", "Bo"]


def test_nobody_is_taken_for_dead_because_redis_was_away(make_node):
    """Whoever is back first gives the others the time of a lease."""
    one, two = make_node(lease=10), make_node(lease=10)
    ann = one.connects("Ann")
    two.roster._in_touch_since = time.monotonic()  # it's just back
    two.log.server.client.incrby("chatapp:ahead", 60_000)
    two.roster._renewed = one.roster._renewed = float("-inf")
    two.roster._look()
    with pytest.raises(NameTaken):
        two.connects("Ann")
    one.roster._look()
    assert ann.says("still me").ok


def test_nobody_is_buried_by_a_word_that_was_stuck_on_its_way(make_node):
    """It was sent before Redis hung, for longer than all leases."""
    one, two = make_node(lease=10), make_node(lease=10)
    ann = one.connects("Ann")
    for node in (one, two):
        node.roster._closed.set()
    two.log.server.client.incrby("chatapp:ahead", 60_000)
    assert two.roster._do("bury") == 0
    for node in (one, two):
        node.roster._renew()
    assert ann.says("still me").ok


def test_a_node_that_stops_holds_the_names_of_those_who_asked_for_that(nodes):
    one, two = nodes
    one.connects("Ann", hold=True)
    one.connects("Bo")
    one.close()
    assert two.names() == ["Ann"]
    assert two.log.server.client.zrange(NODES, 0, -1) == [two.roster._node.encode()]


def test_nothing_is_left_of_names_that_are_free(nodes):
    one = nodes[0]
    people = [node.connects(f"Name {n}", hold=n % 2) for n, node in enumerate(nodes)]
    for person in people:
        person.joins("tea")
        person.goes()
    kept = {key.decode() for key in one.log.server.client.scan_iter("chatapp:*")}
    assert kept <= {"chatapp:epoch", "chatapp:schema", "chatapp:nodes", "chatapp:ahead"}


# Redis away


@pytest.fixture
def own(tmp_path):
    server = RedisProcess(tmp_path)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def shaky(make_node, own):
    """Two nodes on a Redis that the test may stop."""
    return make_node(own.url), make_node(own.url)


def back(*nodes: NodeHarness) -> None:
    for node in nodes:
        eventually(node.log.available)


def test_while_redis_is_away_nobody_gets_a_name_or_a_room(shaky, own):
    one, _ = shaky
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
    back(one)
    bo.sets("Bo")
    assert ann.joins("tea").users == ["Ann"]


def test_names_that_are_asked_for_while_redis_is_away_are_not_remembered(shaky, own):
    one, _ = shaky
    ann = one.connects("Ann")
    own.stop()
    for n in range(100):
        with pytest.raises(Unavailable):
            ann.sets(f"Name {n}")
    assert len(one.roster._names[ann.id]) <= 2
    ann.breaks_off()
    assert len(one.roster._owed) <= 2


def test_who_goes_while_redis_is_away_has_gone_when_it_is_back(shaky, own):
    one, two = shaky
    ann, bo, cy = (one.connects(name, hold=name == "Cy") for name in ("Ann", "Bo", "Cy"))
    for person in (ann, bo):
        person.joins("tea")
    own.stop()
    ann.goes()
    cy.breaks_off()
    assert bo.leaves("tea").ok
    own.start()
    back(one, two)
    eventually(lambda: two.names() == ["Bo", "Cy"])
    assert two.connects("Watcher").joins("tea").users == ["Watcher"]


def test_a_claim_of_unknown_fate_is_its_claimants_or_nobodys(shaky, own, monkeypatch):
    """Redis gave the name, and the answer was lost."""
    one, two = shaky
    ann, bo = one.connects("Ann"), one.connects()
    ask = one.log.ask

    def lose(question):
        ask(question)
        raise Unavailable

    monkeypatch.setattr(one.log, "ask", lose)
    for person, name in ((ann, "Anna"), (bo, "Bo")):
        with pytest.raises(Unavailable):
            person.sets(name)
    monkeypatch.setattr(one.log, "ask", ask)
    bo.sets("Bo")
    with pytest.raises(NameLost):  # Redis has Anna by now
        ann.says("hi")
    ann.breaks_off()
    two.connects("Ann")
    two.connects("Anna")
    bo.breaks_off()
    two.connects("Bo")


def test_names_that_redis_has_lost_are_lost(shaky, own):
    """It was restarted empty: all begin anew."""
    one, two = shaky
    ann = one.connects("Ann")
    ann.says("hi")
    with redis.Redis.from_url(own.url) as client:
        client.flushall()
    eventually(lambda: ann.id in one.audience.closed)
    ann.breaks_off()
    eventually(lambda: two.connects().tries("Ann") == "")
    assert one.log.server.client.hlen(NAMES) == 1
