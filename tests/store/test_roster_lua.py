"""The keys that roster.lua writes agree with each other after any sequence of tasks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.chat import AHEAD, LATER

from chatapp.chat.people.holds import hashed
from chatapp.chat.people.names import canonical, keys
from chatapp.store.redis.roster import sorted_entry
from chatapp.store.redis.scripts import DUE, EPOCH, LIKENESSES, NAMES, at_key, users_key

pytestmark = pytest.mark.server

USERS, AT = users_key(""), at_key("")
LEASES = {"one": 5_000, "two": 60_000, "three": 10**9}  # ms

people = st.sampled_from([f"{node} {n}" for node in LEASES for n in range(2)])
room = st.sampled_from(["cafe", "tea"])
rooms = st.lists(room, unique=True)
cyrillic = ["Вo", "вo", "ВO"]
names = st.sampled_from(["Ann", "ann", "ANN", "Bo", *cyrillic])
holds = st.sampled_from([0, 3_000, 30_000])
nodes = st.sampled_from(list(LEASES))
steps = st.one_of(
    st.tuples(st.just("claim"), people, names, st.booleans(), holds, st.booleans(), rooms),
    st.tuples(st.sampled_from(["enter", "leave"]), people, room),
    st.tuples(st.just("sync_rooms"), people, rooms),
    st.tuples(st.just("disconnected"), people, st.booleans()),
    st.tuples(
        st.just("check"), nodes, st.sampled_from(["expire_due", "expire_node", "renew_lease"])
    ),
    st.tuples(st.just("wait"), st.sampled_from([1_000, 4_000, 40_000])),
)


def node_of(person: str) -> str:
    return person.partition(" ")[0]


class Cluster:
    """Run the tasks of several nodes; `names` has the name of each connection, as compared."""

    def __init__(self, client: redis.Redis) -> None:
        client.flushall()
        client.set(EPOCH, "epoch")
        self.client: Any = client
        self.script = client.script_load(LATER)
        self.names: dict[str, str] = {}
        self.tokens: dict[str, str] = {}  # hashes
        for node, lease in LEASES.items():
            self.run("start_lease", node, lease=lease)

    def run(self, task: str, node: str, **arguments: Any) -> Any:
        packed = msgspec.msgpack.encode({"node": node, **arguments})
        answer, notes = self.client.evalsha(self.script, 0, task, packed)
        assert notes == []
        return answer

    def run_for(self, task: str, person: str, **arguments: Any) -> None:
        if person in self.names:
            folded = self.names[person]
            self.run(task, node_of(person), holder=person, folded=folded, **arguments)

    def claim(
        self, person: str, name: str, knows: bool, hold: int, may_expire: bool, rooms: list[str]
    ) -> None:
        folded, new = canonical(name), hashed(f"token of {person}").hex()
        known = self.tokens.get(folded, "") if knows else ""
        outcome = self.run(
            "claim",
            node_of(person),
            holder=person,
            folded=folded,
            user=name,
            entry=sorted_entry(name),
            likeness=keys(name)[-1],
            known_hash=known,
            new_hash=new,
            hold=hold,
            previous=self.names.get(person, ""),
            may_expire_nodes=may_expire,
            rooms=rooms,
        )
        if outcome in (b"new", b"fits"):
            self.names[person] = folded
            self.tokens[folded] = new if outcome == b"new" else known

    def step(self, what: str, *arguments: Any) -> None:
        match what, *arguments:
            case "claim", *_:
                self.claim(*arguments)
            case "sync_rooms", person, rooms:
                self.run_for(what, person, rooms=rooms)
            case "disconnected", person, is_clean:
                self.run_for(what, person, is_clean=is_clean)
                self.names.pop(person, None)
            case "check", node, task:
                self.run(task, node, **({"lease": LEASES[node]} if task == "renew_lease" else {}))
            case "wait", ms:
                self.client.incrby(AHEAD, ms)
            case _, person, room:
                self.run_for(what, person, room=room)

    def check_consistency(self) -> None:
        """Check that the other keys are those that follow from the records."""
        found = self.client.hgetall(NAMES).items()
        records = {name.decode(): msgspec.msgpack.decode(packed) for name, packed in found}
        taken = [key for record in records.values() for key in keys(record["user"])]
        assert len(taken) == len({*taken}), "two names have a key in common"
        found = self.client.hgetall(LIKENESSES).items()
        likenesses = {key.decode(): name.decode() for key, name in found}
        assert likenesses == {
            record["likeness"]: name for name, record in records.items() if "likeness" in record
        }
        users, at, due, holders = defaultdict(set), defaultdict(set), {}, []
        for folded, record in records.items():
            waiting = dict(record["rooms"])
            for room in waiting:
                users[USERS + room].add(record["entry"])
            ends = [until for until in waiting.values() if until]
            if record["holder"]:
                at[AT + record["node"]].add(folded)
                holders.append(record["holder"])
            else:
                assert record["node"] == ""
                ends.append(record["ends"])
            if ends:
                due[folded] = min(ends)
        assert len(holders) == len({*holders}), "a connection has two names"
        assert self.members_of(USERS, lambda key: self.client.zrange(key, 0, -1)) == users
        assert self.members_of(AT, self.client.smembers) == at
        found = self.client.zrange(DUE, 0, -1, withscores=True)
        assert {name.decode(): until for name, until in found} == due

    def members_of(self, prefix: str, members: Any) -> dict[str, set[str]]:
        keys = self.client.scan_iter(prefix + "*")
        return {key.decode(): {each.decode() for each in members(key)} for key in keys}

    def end(self) -> None:
        """Stop all nodes, and let all holds expire."""
        for node in LEASES:
            self.run("stop_node", node)
        self.client.incrby(AHEAD, 10**6)
        self.run("expire_due", "one")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=20, max_size=50))
def test_keys_of_names_agree_after_any_tasks(redis_server, steps):
    with redis.Redis.from_url(redis_server.url) as client:
        cluster = Cluster(client)
        for step in steps:
            cluster.step(*step)
            cluster.check_consistency()
        cluster.end()
        left = {key.decode() for key in client.scan_iter("*")}
        client.flushall()
    assert left == {EPOCH, AHEAD}
