"""A chat without sockets, its clients, and an audience that records what each receives.

Use `ChatHarness` for the rules on one process, `NodeHarness` for one node of a cluster, and
`ClusterHarness` for people who are spread over two nodes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import msgspec

from chatapp.chat import wire
from chatapp.chat.broadcaster import Broadcaster, LocalBroadcaster
from chatapp.chat.client import DisconnectReason
from chatapp.chat.log import Log, Retention
from chatapp.chat.people.local_roster import LocalRoster
from chatapp.chat.people.roster import Roster
from chatapp.chat.people.usernames import UsernameSet
from chatapp.chat.rules import Chat
from chatapp.config import read
from chatapp.errors import ChatError
from chatapp.store.memory import MemoryLog
from chatapp.store.redis import tasks as redis_tasks
from chatapp.store.redis.broadcaster import RedisBroadcaster
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.roster import RedisRoster
from chatapp.store.redis.scripts import PREFIX, channel
from chatapp.store.redis.subscriber import Hint


class Audience:
    """Record what each client receives (chatapp.chat.audience.Audience).

    A node's subscriber calls it from a thread of its own.
    """

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[Any, ...]]] = {}
        self.closed: list[str] = []
        self.now = 0.0
        self._rooms: dict[str, list[str]] = {}
        self._due: list[tuple[float, Callable[[], Any]]] = []

    def send(self, client: str, event: str, *arguments: Any) -> None:
        if client in self.heard:
            self.heard[client].append((event, *arguments))

    def broadcast(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        for client, heard in list(self.heard.items()):
            if client != skip and self.is_in(client, room):
                heard.append((event, *arguments))

    def enter(self, client: str, room: str) -> None:
        self._rooms.setdefault(client, []).append(room)

    def leave(self, client: str, room: str) -> None:
        self._rooms[client].remove(room)

    def is_in(self, client: str, room: str) -> bool:
        return room in self.rooms(client)

    def rooms(self, client: str) -> list[str]:
        return self._rooms.get(client, [])

    def has_members(self, room: str) -> bool:
        return any(room in rooms for rooms in list(self._rooms.values()))

    def call_later(self, seconds: float, call: Callable[[], Any]) -> None:
        self._due.append((self.now + seconds, call))

    def release(self, client: str) -> None:
        pass

    def close(self, client: str) -> None:
        self.closed.append(client)

    def close_all(self) -> None:
        self.closed.extend(self.heard)

    def kick(self, client: str, event: str, refusal: ChatError) -> None:
        self.send(client, "refused", event, refusal.code)
        self.closed.append(client)

    def forget(self, client: str) -> None:
        """The client's connection has ended."""
        self.heard.pop(client, None)
        self._rooms.pop(client, None)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass; what is due happens."""
        self.now += seconds
        due = [call for at, call in self._due if at <= self.now]
        self._due = [(at, call) for at, call in self._due if at > self.now]
        for call in due:
            call()


NUMBERS = count(1)


class ChatHarness:
    """A chat in one process, and the people in it."""

    def __init__(self, holds=None, max_name_chars=32, name_hold=30.0, **limits) -> None:
        self.audience = Audience()
        self.log = self.make_log()
        self.roster = self.make_roster(holds, max_name_chars, name_hold)
        broadcaster = self.make_broadcaster()
        settings = {name.upper(): value for name, value in limits.items()}
        limits = read({"TESTING": True, **settings})
        self.chat = Chat(self.log, self.roster, broadcaster, self.audience, limits)

    def make_log(self) -> Log:
        return MemoryLog()

    def make_roster(self, holds, max_name_chars: int, name_hold: float) -> Roster:
        return LocalRoster(UsernameSet(max_name_chars, holds), self.audience, name_hold)

    def make_broadcaster(self) -> Broadcaster:
        return LocalBroadcaster(self.audience)

    def close(self) -> None:
        self.chat.close()

    def wait(self, seconds: float) -> None:
        """Let time pass; what is due happens."""
        self.audience.wait(seconds)

    def settle(self) -> None:
        """Wait until this node's clients have received all that was sent so far."""

    @property
    def closed(self) -> list[str]:
        """The ids of the clients whose connections the chat has closed."""
        return self.audience.closed

    def names(self) -> list[str]:
        """All names that are somebody's, or held."""
        return self.connects().joins().users

    def connects(self, name: str = "", **options) -> Person:
        person = Person(self)
        if name:
            person.sets(name, **options)
        return person


class Person:
    """A client of the chat at `node`."""

    def __init__(self, node: ChatHarness) -> None:
        self.node = node
        self.id = f"client-{next(NUMBERS)}"
        self._heard = node.audience.heard[self.id] = []
        self.client = node.chat.connect(self.id)
        self.token = ""

    @property
    def heard(self) -> list:
        self.node.settle()
        return self._heard

    def sets(self, name: str, **options) -> wire.NameSet:
        answer = self.node.chat.handle(self.client, wire.SetUsername(name, **options))
        self.token = answer.token
        return answer

    def tries(self, name: str, **options) -> str:
        """Sets the name; what refuses it, or nothing."""
        try:
            self.sets(name, **options)
        except ChatError as refusal:
            return refusal.code
        return ""

    def says(self, message: str, **fields) -> wire.Posted:
        chat, request = self.node.chat, wire.Msg(message, **fields)
        return chat.run(self.client, lambda: chat.handle(self.client, request), overlaps=True)

    def joins(self, room: str = "lobby", **fields) -> wire.Joined:
        return self.node.chat.handle(self.client, wire.Join(room, **fields))

    def leaves(self, room: str) -> wire.Left:
        return self.node.chat.handle(self.client, wire.Leave(room))

    def reads(self, room: str = "lobby", **fields) -> wire.HistoryPage:
        return self.node.chat.handle(self.client, wire.History(room, **fields))

    def types(self, room: str = "lobby") -> wire.Answer:
        return self.node.chat.handle(self.client, wire.Typing(room))

    def goes(self) -> None:
        """With a goodbye."""
        self.ends(DisconnectReason.CLEAN)

    def breaks_off(self) -> None:
        self.ends(DisconnectReason.CONNECTION_LOST)

    def ends(self, reason: DisconnectReason) -> None:
        self.node.audience.forget(self.id)
        self.node.chat.disconnect(self.client, reason)


AHEAD = f"{PREFIX}ahead"
"""By how many ms the clock of the script is ahead, in tests."""
SCRIPT = redis_tasks.SCRIPT
LATER = SCRIPT.replace(
    "local now = time[1] * 1000",
    f"local now = (redis.call('GET', '{AHEAD}') or 0) + time[1] * 1000",
)
assert LATER != SCRIPT


class NodeHarness(ChatHarness):
    """A ChatHarness that is one node of a cluster, on the Redis at `url`."""

    def __init__(self, url: str, lease: float = 3600, name_hold: float = 30.0, **limits) -> None:
        self._url, self._lease = url, lease
        self._markers: dict[str, threading.Event] = {}
        super().__init__(name_hold=name_hold, **limits)

    def make_log(self) -> RedisLog:
        return RedisLog(self._url, Retention(0, 0), check_interval=0.1)

    def make_roster(self, _holds, max_name_chars: int, name_hold: float) -> RedisRoster:
        roster = RedisRoster(
            self.log,
            self.audience,
            max_name_chars,
            name_hold=name_hold,
            lease=self._lease,
            check_interval=0.05,
        )

        def mark(_room: str, hint: Hint) -> None:
            if hint.event == "marker":
                self._markers[hint.user].set()

        self.log.feed.on_hint(mark)
        return roster

    def make_broadcaster(self) -> RedisBroadcaster:
        return RedisBroadcaster(self.log, self.audience)

    def wait(self, seconds: float) -> None:
        self.advance_redis(seconds)
        self.advance_node(seconds)

    def advance_redis(self, seconds: float) -> None:
        self.log.server.client.incrby(AHEAD, round(seconds * 1000))

    def advance_node(self, seconds: float) -> None:
        super().wait(seconds)
        self.roster.lease.check()

    def settle(self) -> None:
        name = f"marker-{next(NUMBERS)}"
        self._markers[name] = threading.Event()
        hint = Hint(self.log.epoch, "marker", 0, name, "", "")
        where = channel("@" + self.roster.tasks.node)
        self.log.server.client.publish(where, msgspec.msgpack.encode(hint))
        assert self._markers[name].wait(5), "the node hears nothing"


class ClusterHarness(ChatHarness):
    """Two nodes on the Redis at `url`; people connect to one and the other in turn.

    An event that doesn't leave its node is missed by every second person. Log, roster and audience
    are those of a node: `person.node.log`.
    """

    def __init__(self, url: str, **options) -> None:
        self.nodes = [NodeHarness(url, **options) for _ in range(2)]
        self._next_node = cycle(self.nodes)
        for node in self.nodes:
            node.chat.open()

    def connects(self, name: str = "", **options) -> Person:
        return next(self._next_node).connects(name, **options)

    def wait(self, seconds: float) -> None:
        self.nodes[0].advance_redis(seconds)
        for node in self.nodes:
            node.advance_node(seconds)

    def settle(self) -> None:
        for node in self.nodes:
            node.settle()

    @property
    def closed(self) -> list[str]:
        return [client for node in self.nodes for client in node.closed]

    def close(self) -> None:
        for node in self.nodes:
            node.close()
