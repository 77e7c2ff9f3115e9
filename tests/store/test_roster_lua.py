"""What roster.lua keeps of names agrees with itself, whatever is done, in whatever order."""

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
from chatapp.chat.people.names import fold
from chatapp.store.redis.keys import EPOCH, NAMES
from chatapp.store.redis.roster import entry_of

pytestmark = pytest.mark.server

USERS, AT, DUE = "chatapp:users:", "chatapp:at:", "chatapp:due"
LEASES = {"one": 5_000, "two": 60_000, "three": 10**9}  # ms

people = st.sampled_from([f"{node} {n}" for node in LEASES for n in range(2)])
room = st.sampled_from(["cafe", "tea"])
rooms = st.lists(room, unique=True)
names = st.sampled_from(["Ann", "ann", "ANN", "Bo"])
holds = st.sampled_from([0, 3_000, 30_000])
nodes = st.sampled_from(list(LEASES))
steps = st.one_of(
    st.tuples(st.just("claim"), people, names, st.booleans(), holds, st.booleans(), rooms),
    st.tuples(st.sampled_from(["enter", "leave"]), people, room),
    st.tuples(st.just("be_in"), people, rooms),
    st.tuples(st.just("gone"), people, st.booleans()),
    st.tuples(st.just("look"), nodes, st.sampled_from(["settle", "bury", "renew"])),
    st.tuples(st.just("wait"), st.sampled_from([1_000, 4_000, 40_000])),
)


def node_of(person: str) -> str:
    return person.partition(" ")[0]


class Cluster:
    """Does what nodes do; what their connections know of themselves is in `names`."""

    def __init__(self, client: redis.Redis) -> None:
        client.flushall()
        client.set(EPOCH, "epoch")
        self.client: Any = client
        self.script = client.script_load(LATER)
        self.names: dict[str, str] = {}  # folded
        self.tokens: dict[str, str] = {}  # hashes
        for node, lease in LEASES.items():
            self.do("begin", node, "", lease)

    def do(self, task: str, node: str, holder: str = "", *arguments: Any) -> Any:
        answer, notes = self.client.evalsha(self.script, 0, task, node, holder, *arguments)
        assert notes == []
        return answer

    def of(self, task: str, person: str, *arguments: Any) -> None:
        if person in self.names:
            self.do(task, node_of(person), person, self.names[person], *arguments)

    def claim(
        self, person: str, name: str, knows: bool, hold: int, may_bury: bool, rooms: list[str]
    ) -> None:
        folded, new = fold(name), hashed(f"token of {person}").hex()
        known = self.tokens.get(folded, "") if knows else ""
        who = (folded, name, entry_of(name), known, new, hold)
        outcome = self.do(
            "claim",
            *(node_of(person), person, *who),
            *(self.names.get(person, ""), int(may_bury), *rooms),
        )
        if outcome in (b"new", b"fits"):
            self.names[person] = folded
            self.tokens[folded] = new if outcome == b"new" else known

    def step(self, what: str, *arguments: Any) -> None:
        match what, *arguments:
            case "claim", *_:
                self.claim(*arguments)
            case "be_in", person, rooms:
                self.of(what, person, *rooms)
            case "gone", person, is_goodbye:
                self.of(what, person, int(is_goodbye))
                self.names.pop(person, None)
            case "look", node, task:
                self.do(task, node, "", *([LEASES[node]] if task == "renew" else []))
            case "wait", ms:
                self.client.incrby(AHEAD, ms)
            case _, person, room:
                self.of(what, person, room)

    def agrees(self) -> None:
        """Each record is where it says, and nothing else is anywhere."""
        found = self.client.hgetall(NAMES).items()
        records = {name.decode(): msgspec.msgpack.decode(packed) for name, packed in found}
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
        assert len(holders) == len({*holders}), "two names are one person's"
        assert self.kept(USERS, lambda key: self.client.zrange(key, 0, -1)) == users
        assert self.kept(AT, self.client.smembers) == at
        found = self.client.zrange(DUE, 0, -1, withscores=True)
        assert {name.decode(): until for name, until in found} == due

    def kept(self, prefix: str, members: Any) -> dict[str, set[str]]:
        keys = self.client.scan_iter(prefix + "*")
        return {key.decode(): {each.decode() for each in members(key)} for key in keys}

    def end(self) -> None:
        """All nodes end, and nothing is held any longer."""
        for node in LEASES:
            self.do("quit", node)
        self.client.incrby(AHEAD, 10**6)
        self.do("settle", "one")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=20, max_size=50))
def test_what_is_kept_of_names_agrees(redis_server, steps):
    with redis.Redis.from_url(redis_server.url) as client:
        cluster = Cluster(client)
        for step in steps:
            cluster.step(*step)
            cluster.agrees()
        cluster.end()
        left = {key.decode() for key in client.scan_iter("*")}
        client.flushall()
    assert left == {EPOCH, AHEAD}
