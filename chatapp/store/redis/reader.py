"""What the Redis log says: read from its streams, as far as it's kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chatapp.chat.log import Entry, Page, Retention, bounded
from chatapp.errors import Unavailable
from chatapp.store.redis.client import Server
from chatapp.store.redis.scripts import EPOCH, NEWEST, READ, log_key

BEYOND = 2**53
"""More than any number of messages, and a number to Lua."""
CHUNK = 50
"""Entries that are read at once."""


class Reader:
    """Reads from `server` what `retention` keeps. `clock`: seconds since 1970."""

    def __init__(self, server: Server, retention: Retention, clock: Callable[[], float]) -> None:
        self._server = server
        self._retention = retention
        self._clock = clock

    def now(self) -> int:
        return int(self._clock() * 1000)

    def kept(self) -> tuple[int, int]:
        """How many of the newest are kept, and since when; in ms since 1970."""
        return self._retention.messages or BEYOND, self._retention.cutoff(self.now())

    def numbers(self, rooms: list[str]) -> dict[str, int]:
        """The newest number of each."""
        newest: Any = self._server.client.hmget(NEWEST, rooms) if rooms else []
        return dict(zip(rooms, map(number_in, newest), strict=True))

    def newest(self, room: str) -> int:
        newest: Any = self._server.client.hget(NEWEST, room)
        return number_in(newest)

    def page(self, room: str, since: int | None, before: int | None, limit: int) -> Page:
        """A page of the log (Log.read).

        Raises:
            Unavailable: Redis begins a new epoch meanwhile.
        """
        if since is not None:
            reading = _Reading(self, room, since, BEYOND)
            return Page(*bounded(reading.forwards(), limit), reading.epoch)
        reading = _Reading(self, room, 0, (BEYOND if before is None else before) - 1)
        entries, more = bounded(reading.backwards(), limit)
        return Page(entries[::-1], more, reading.epoch)

    def entries(self, room: str, since: int, until: int) -> Iterator[Entry]:
        """Those that are kept, after one number and up to another."""
        return _Reading(self, room, since, until).forwards()

    def chunk(
        self, room: str, since: int, until: int, *, is_back: bool = False
    ) -> tuple[str, list[Entry]]:
        """The epoch, and the first or the last of the messages after one number and up to
        another."""
        most, _ = self.kept()
        keys = [log_key(room), NEWEST, EPOCH]
        arguments = [room, since + 1, until, most, CHUNK, int(is_back)]
        ((epoch, found),) = self._server.run(READ, (keys, arguments))
        return epoch.decode(), [entry_of(room, number_of(id_), fields) for id_, fields in found]


class _Reading:
    """Reads what `room` said after one number and up to another, in one epoch."""

    def __init__(self, reader: Reader, room: str, since: int, until: int) -> None:
        self._reader = reader
        self._room = room
        self._since = since
        self._until = until
        _, self._cutoff = reader.kept()
        self.epoch = ""

    def forwards(self) -> Iterator[Entry]:
        while entries := self._next(is_back=False):
            self._since = entries[-1].id
            yield from (entry for entry in entries if entry.at >= self._cutoff)
            if len(entries) < CHUNK:
                return

    def backwards(self) -> Iterator[Entry]:
        while entries := self._next(is_back=True):
            self._until = entries[-1].id - 1
            for entry in entries:
                if entry.at < self._cutoff:
                    return
                yield entry
            if len(entries) < CHUNK:
                return

    def _next(self, is_back: bool) -> list[Entry]:
        epoch, entries = self._reader.chunk(self._room, self._since, self._until, is_back=is_back)
        if not epoch or self.epoch not in ("", epoch):
            raise Unavailable
        self.epoch = epoch
        return entries


def number_in(newest: bytes | None) -> int:
    """The number, of what is kept of a room's newest message."""
    return int(newest.partition(b" ")[0]) if newest else 0


def number_of(id_: bytes) -> int:
    """A message's number, of its id in the stream."""
    return int(id_.partition(b"-")[0])


def entry_of(room: str, number: Any, fields: list[bytes]) -> Entry:
    """The entry of a stream's fields: names and values in turn."""
    names, values = fields[::2], fields[1::2]
    text = {name.decode(): value.decode() for name, value in zip(names, values, strict=True)}
    return Entry(room, int(number), int(text["at"]), text["user"], text["message"], text["key"])
