"""What the Redis log says: read from its streams, as far as it's kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import redis

from chatapp.store.base import Entry, Retention
from chatapp.store.redis_scripts import NEWEST, log_key

BEYOND = 2**53
"""More than any number of messages, and a number to Lua."""
CHUNK = 50
"""Entries that are read at once."""


class Reader:
    """Reads from `client` what `retention` keeps. `clock`: seconds since 1970."""

    def __init__(
        self, client: redis.Redis, retention: Retention, clock: Callable[[], float]
    ) -> None:
        self._redis = client
        self._retention = retention
        self._clock = clock

    def now(self) -> int:
        return int(self._clock() * 1000)

    def kept(self) -> tuple[int, int]:
        """How many of the newest are kept, and since when; in ms since 1970."""
        return self._retention.messages or BEYOND, self._retention.cutoff(self.now())

    def numbers(self, rooms: list[str]) -> dict[str, int]:
        """The newest number of each."""
        newest: Any = self._redis.hmget(NEWEST, rooms) if rooms else []
        return dict(zip(rooms, map(number_in, newest), strict=True))

    def newest(self, room: str) -> int:
        newest: Any = self._redis.hget(NEWEST, room)
        return number_in(newest)

    def entries(self, room: str, since: int, until: int) -> Iterator[Entry]:
        """Those that are kept, after one number and up to another."""
        most, cutoff = self.kept()
        since = max(since, self.newest(room) - most)
        while True:
            found: Any = self._redis.xrange(log_key(room), f"{since + 1}-0", f"{until}-0", CHUNK)
            for id_, fields in found:
                entry = entry_of(room, number_of(id_), fields)
                since = entry.id
                if entry.at >= cutoff:
                    yield entry
            if len(found) < CHUNK:
                return

    def back(self, room: str, before: int) -> Iterator[Entry]:
        """Those that are kept before a number, the newest first."""
        most, cutoff = self.kept()
        oldest = max(0, self.newest(room) - most)
        while before > oldest + 1:
            found: Any = self._redis.xrevrange(log_key(room), f"{before - 1}-0", "-", CHUNK)
            for id_, fields in found:
                entry = entry_of(room, number_of(id_), fields)
                before = entry.id
                if entry.id <= oldest or entry.at < cutoff:
                    return
                yield entry
            if len(found) < CHUNK:
                return


def number_in(newest: bytes | None) -> int:
    """The number, of what is kept of a room's newest message."""
    return int(newest.partition(b" ")[0]) if newest else 0


def number_of(id_: bytes) -> int:
    """A message's number, of its id in the stream."""
    return int(id_.partition(b"-")[0])


def entry_of(room: str, number: Any, fields: Any) -> Entry:
    """The entry of a stream's fields: names and values in turn, or by name."""
    if not isinstance(fields, dict):
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Entry(room, int(number), int(text["at"]), text["user"], text["message"], text["key"])
