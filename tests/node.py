"""A node of a cluster without sockets: its chat, and the people in it."""

from __future__ import annotations

import threading
from itertools import count

import msgspec
from people import Room

from chatapp.chat.log import Retention
from chatapp.store.redis import roster as redis_roster
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.roster import RedisRoster
from chatapp.store.redis.scripts import channel
from chatapp.store.redis.subscriber import Hint

NUMBERS = count(1)
AHEAD = "chatapp:ahead"
"""By how many ms the clock of the script is ahead, in tests."""
SCRIPT = redis_roster.SCRIPT
LATER = SCRIPT.replace(
    "local now = time[1] * 1000",
    f"local now = (redis.call('GET', '{AHEAD}') or 0) + time[1] * 1000",
)
assert LATER != SCRIPT


class NodeRoom(Room):
    """The same as Room, on the Redis at `url`; another on the same Redis is another node."""

    def __init__(self, url: str, lease: float = 3600, name_hold: float = 30.0, **bounds) -> None:
        self._url, self._lease = url, lease
        self._markers: dict[str, threading.Event] = {}
        super().__init__(name_hold=name_hold, **bounds)

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
        hear = self.log.on_hint

        def mark(room: str, hint: Hint) -> None:
            hear(room, hint)
            if hint.event == "marker":
                self._markers[hint.user].set()

        self.log.on_hint = mark
        return roster

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        self.log.server.client.incrby(AHEAD, round(seconds * 1000))
        self.roster._look()

    def settle(self) -> None:
        name = f"marker-{next(NUMBERS)}"
        self._markers[name] = threading.Event()
        hint = Hint(self.log.epoch, "marker", 0, name, "", "")
        where = channel("@" + self.roster._node)
        self.log.server.client.publish(where, msgspec.msgpack.encode(hint))
        assert self._markers[name].wait(5), "the node hears nothing"
