"""Reads pages, keys and newest numbers from Redis, as far as retention keeps them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from redis.exceptions import ResponseError

from chatapp.chat.log import Entry, Page, Retention, bounded
from chatapp.chat.people.names import canonical
from chatapp.errors import Unavailable
from chatapp.store.redis.client import Server
from chatapp.store.redis.damage import SHARED_KEYS, DamagedKey, reading_key, wrong_type_error
from chatapp.store.redis.scripts import EPOCH, NAMES, NEWEST, NODES, READ, keys_key, log_key

NO_LIMIT = 2**53
"""More than any number of messages, and exact as a number of Lua."""
CHUNK_SIZE = 50
"""Entries of one round trip."""
NUMBER_AND_TIME = re.compile(rb"(\d{1,16}) \d{1,16}")
NUMBER = re.compile(rb"\d{1,16}")
Found = list[tuple[int, list[bytes]]]
"""Numbers of messages, and the fields of each."""


class Reader:
    """Read from `server` what `retention` keeps. `clock()` returns seconds since 1970.

    All methods raise RedisError if Redis can't be used, and DamagedKey if a key is damaged.
    """

    def __init__(self, server: Server, retention: Retention, clock: Callable[[], float]) -> None:
        self._server = server
        self._retention = retention
        self._clock = clock

    def now(self) -> int:
        """Return the time in ms since 1970."""
        return int(self._clock() * 1000)

    def retention_bounds(self) -> tuple[int, int]:
        """Return how many of the newest messages are kept, and since when (ms since 1970)."""
        return self._retention.messages or NO_LIMIT, self._retention.cutoff(self.now())

    def state(self, rooms: list[str]) -> tuple[bytes, dict[str, int]]:
        """Return the epoch and the rooms' newest numbers, and check the shared keys.

        A room whose number can't be parsed is logged and left out.
        """
        with self._server.client.pipeline(transaction=False) as pipeline:
            pipeline.get(EPOCH)
            pipeline.hmget(NEWEST, ["", *rooms])
            pipeline.hlen(NAMES)
            pipeline.zcard(NODES)
            answers = pipeline.execute(False)
        for key, answer in zip(SHARED_KEYS, answers, strict=True):
            if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
                raise wrong_type_error(key)
            if isinstance(answer, Exception):
                raise answer
        return answers[0] or b"", self._parse_numbers(rooms, answers[1][1:])

    def newest_numbers(self, rooms: list[str]) -> dict[str, int]:
        """Return the rooms' newest numbers; one that can't be parsed is logged and left out."""
        with reading_key(NEWEST):
            newest: Any = self._server.client.hmget(NEWEST, rooms) if rooms else []
        return self._parse_numbers(rooms, newest)

    def newest_number(self, room: str) -> int:
        with reading_key(NEWEST):
            newest: Any = self._server.client.hget(NEWEST, room)
        return parse_newest(room, newest)

    def _parse_numbers(self, rooms: list[str], newest: list[bytes | None]) -> dict[str, int]:
        numbers = {}
        for room, found in zip(rooms, newest, strict=True):
            try:
                numbers[room] = parse_newest(room, found)
            except DamagedKey as damage:
                self._server.report_damage(damage)
        return numbers

    def find(self, room: str, user: str, key: str) -> Entry | None:
        """Return the entry that `user` appended with `key` (Log.find)."""
        keys = keys_key(room)
        with reading_key(keys):
            number: Any = self._server.client.hget(keys, f"{canonical(user)} {key}")
        if number is None:
            return None
        if not NUMBER.fullmatch(number):
            raise DamagedKey(f"HVALS {keys}", f"a field of {keys} isn't a message's number")
        return next(_RangeReader(self, room, int(number) - 1, int(number)).forward(), None)

    def page(self, room: str, since: int | None, before: int | None, limit: int) -> Page:
        """Return a page of `room` (Log.read).

        Raises:
            Unavailable: a new epoch has started meanwhile.
        """
        if since is not None:
            reader = _RangeReader(self, room, since, NO_LIMIT)
            return Page(*bounded(reader.forward(), limit), reader.epoch)
        reader = _RangeReader(self, room, 0, (NO_LIMIT if before is None else before) - 1)
        entries, more = bounded(reader.backward(), limit)
        return Page(entries[::-1], more, reader.epoch)

    def entries(self, room: str, since: int, until: int) -> Iterator[Entry]:
        """Yield the kept entries after one number and up to another.

        An entry that can't be parsed is logged and left out.
        """
        return _RangeReader(self, room, since, until, self._server.report_damage).forward()

    def read_chunk(
        self, room: str, since: int, until: int, *, is_backward: bool = False
    ) -> tuple[str, Found]:
        """Return the epoch, and the first (or last) messages after `since` and up to `until`."""
        max_count, _ = self.retention_bounds()
        keys = [log_key(room), NEWEST, EPOCH]
        arguments = [room, since + 1, until, max_count, CHUNK_SIZE, int(is_backward)]
        epoch, found = self._server.run_script(READ, keys, arguments)
        return epoch.decode(errors="replace"), [(parse_id(id_), fields) for id_, fields in found]


class _RangeReader:
    """Read the entries of `room` after `since` and up to `until`, all in one epoch.

    `skip(damage)` is called for an entry that can't be parsed; without it the damage is raised.
    """

    def __init__(
        self,
        reader: Reader,
        room: str,
        since: int,
        until: int,
        skip: Callable[[DamagedKey], object] | None = None,
    ) -> None:
        self._reader = reader
        self._room = room
        self._since = since
        self._until = until
        self._skip = skip
        _, self._cutoff = reader.retention_bounds()
        self.epoch = ""

    def forward(self) -> Iterator[Entry]:
        """Yield the entries, oldest first."""
        while found := self._next_chunk(is_backward=False):
            self._since, _ = found[-1]
            yield from (entry for entry in self._entries(found) if entry.at >= self._cutoff)
            if len(found) < CHUNK_SIZE:
                return

    def backward(self) -> Iterator[Entry]:
        """Yield the entries, newest first."""
        while found := self._next_chunk(is_backward=True):
            last, _ = found[-1]
            self._until = last - 1
            for entry in self._entries(found):
                if entry.at < self._cutoff:
                    return
                yield entry
            if len(found) < CHUNK_SIZE:
                return

    def _next_chunk(self, is_backward: bool) -> Found:
        epoch, found = self._reader.read_chunk(
            self._room, self._since, self._until, is_backward=is_backward
        )
        if not epoch or self.epoch not in ("", epoch):
            raise Unavailable
        self.epoch = epoch
        return found

    def _entries(self, found: Found) -> Iterator[Entry]:
        for number, fields in found:
            try:
                entry = parse_entry(self._room, number, fields)
            except DamagedKey as damage:
                if self._skip is None:
                    raise
                self._skip(damage)
            else:
                yield entry


def parse_newest(room: str, newest: bytes | None) -> int:
    """Return the number in a room's field of NEWEST; 0 if there is none.

    Raises:
        DamagedKey: the field isn't a number and a time.
    """
    if newest is None:
        return 0
    found = NUMBER_AND_TIME.fullmatch(newest)
    if found is None:
        fault = f"the field {room} of {NEWEST} isn't a number and a time"
        raise DamagedKey(f"HGET {NEWEST} {room}", fault)
    return int(found[1])


def parse_id(id_: bytes) -> int:
    """Return a message's number from its id in the stream."""
    return int(id_.partition(b"-")[0])


def parse_entry(room: str, number: Any, fields: list[bytes]) -> Entry:
    """Return the entry of a stream's message; `fields` are names and values in turn.

    Raises:
        DamagedKey: a field is missing, or has a wrong value.
    """
    try:
        names, values = fields[::2], fields[1::2]
        text = {name.decode(): value.decode() for name, value in zip(names, values, strict=True)}
        return Entry(room, int(number), int(text["at"]), text["user"], text["message"], text["key"])
    except (KeyError, ValueError):
        log = log_key(room)
        raise DamagedKey(
            f"XRANGE {log} {int(number)} {int(number)}",
            f"the message {int(number)} of {log} lacks a field, or has a wrong one",
        ) from None
