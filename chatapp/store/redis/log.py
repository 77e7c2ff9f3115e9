"""The log on Redis 7, which any number of nodes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from time import time
from typing import Any, TypeVar

from chatapp.chat.log import DEFAULT_RETENTION, Draft, Entry, Page, Retention
from chatapp.chat.people.names import canonical
from chatapp.chat.rooms import ROOM
from chatapp.errors import ChatError, Damaged, NameLost, Unavailable
from chatapp.store.background import BackgroundLog
from chatapp.store.batch import Batches
from chatapp.store.redis.client import Server
from chatapp.store.redis.damage import DamagedKey, reading_key
from chatapp.store.redis.feed import Feed
from chatapp.store.redis.reader import Reader, parse_entry
from chatapp.store.redis.scripts import (
    APPEND,
    EPOCH,
    EXPIRE,
    NAMES,
    NEWEST,
    NODES,
    channel,
    keys_key,
    log_key,
)
from chatapp.store.redis.startup import prepare

T = TypeVar("T")
SWEEP_BATCH = 100
"""Messages that one step deletes at most: less than a ms of Redis."""
SWEEP_PAUSE = 0.01  # seconds between steps


class AppendStatus(IntEnum):
    """The first value of append.lua's answer."""

    APPENDED = 1
    DUPLICATE = 0
    EPOCH_LOST = -1
    NAME_LOST = -2


class RedisLog(BackgroundLog):
    """Keep messages in the Redis at `url`.

    `feed` delivers what other nodes append. A damaged key makes its own room unavailable (Damaged),
    and nothing else (damage.py).

    `patience`: seconds that Redis has for an answer. `check_interval` and `sweep_interval`: seconds
    between checks (feed.py) and between sweeps. `clock()` returns seconds since 1970.
    """

    def __init__(
        self,
        url: str,
        retention: Retention = DEFAULT_RETENTION,
        *,
        patience: float = 2.0,
        check_interval: float = 1.0,
        sweep_interval: float = 60.0,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__(sweep_interval)
        self.server = Server(url, patience)
        self._reader = Reader(self.server, retention, clock)
        self.feed = Feed(
            self.server,
            self._reader,
            deliver=self._deliver,
            wants=self._is_wanted,
            on_reset=self.reset,
            patience=patience,
            check_interval=check_interval,
        )
        self._batches: Batches[Draft, Entry] = Batches(self._write, self.feed.delivery.on_local)

    def _open_store(self) -> None:
        self.feed.start(prepare(self.server.client, self.server.url))

    def close(self) -> None:
        self._closed.set()
        self._batches.close()
        self.feed.close()
        self.server.close()

    @property
    def epoch(self) -> str:
        self._ensure_open()
        return self.feed.epoch

    def append(self, draft: Draft) -> Entry:
        self._ensure_open()
        return self._batches.append(draft)

    def subscribe_room(self, room: str) -> None:
        with suppress(Unavailable):  # `read`, which follows, raises it
            self._ensure_open()
            self.feed.subscribe_room(room)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        return self.query(lambda: self._reader.find(room, user, key)) if key else None

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        return self.query(lambda: self._reader.page(room, since, before, limit))

    def available(self) -> bool:
        try:
            self._ensure_open()
        except Unavailable:
            return False
        return not self.server.is_down

    def query(self, command: Callable[[], T]) -> T:
        """Run a command on the opened log (Server.query)."""
        self._ensure_open()
        return self.server.query(command)

    def _is_wanted(self, room: str) -> bool:
        return any(wants(room) for wants in self._wants)

    def _write(self, drafts: list[Draft]) -> Sequence[tuple[Entry | ChatError, bool]]:
        """Append drafts in one round trip.

        If Redis has lost data, some may have been appended; their senders find them by their keys.
        """
        epoch = self.feed.epoch  # read before `delivered`, which belongs to it
        calls = [(self._keys(draft.room), self._arguments(draft, epoch)) for draft in drafts]
        answers = self.query(lambda: self.server.run_pipelined(APPEND, *calls))
        for answer in answers:
            if not isinstance(answer, Damaged) and answer[0] == AppendStatus.EPOCH_LOST:
                self.query(lambda: self.feed.start_epoch(epoch))
                raise Unavailable
        return [self._result(*each) for each in zip(drafts, answers, strict=True)]

    def _result(self, draft: Draft, answer: Any) -> tuple[Entry | ChatError, bool]:
        """Return the draft's entry and whether it is new, or its refusal."""
        if isinstance(answer, Damaged):
            return answer, False
        status, number, fields = answer
        if status == AppendStatus.NAME_LOST:
            return NameLost(), False
        try:
            return parse_entry(draft.room, number, fields), status == AppendStatus.APPENDED
        except DamagedKey as damage:
            return self.server.report_damage(damage), False

    def _keys(self, room: str) -> list[str]:
        return [log_key(room), keys_key(room), NEWEST, EPOCH, NAMES, NODES]

    def _arguments(self, draft: Draft, epoch: str) -> list[Any]:
        """Return the arguments of append.lua; a list costs less than a map for each message."""
        max_count, cutoff = self._reader.retention_bounds()
        return [
            draft.room,
            draft.user,
            draft.message,
            draft.key,
            canonical(draft.user),
            self._reader.now(),
            max_count,
            cutoff,
            channel(draft.room),
            epoch,
            self.feed.delivery.last_delivered(draft.room),
            draft.holder,
        ]

    def _sweep(self) -> None:
        """Delete expired messages, also while Redis is down for writes, as when it is full."""
        with self.server.translate_errors(), reading_key(NEWEST):
            fields = [field for field, _ in self.server.client.hscan_iter(NEWEST)]
        for field in fields:
            room = field.decode("ascii", "replace")
            if ROOM.fullmatch(room):  # another program may have added others
                with suppress(Damaged), self.server.translate_errors():
                    self._sweep_room(room)

    def _sweep_room(self, room: str) -> None:
        arguments = [room, *self._reader.retention_bounds(), SWEEP_BATCH]
        while self.server.run_script(EXPIRE, self._keys(room), arguments) == SWEEP_BATCH:
            if self._closed.wait(SWEEP_PAUSE):
                return
