"""The log on Redis 7, which any number of processes share."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import time
from typing import Any, TypeVar

from redis.exceptions import RedisError

from chatapp.errors import StoreError, Unavailable
from chatapp.names import fold
from chatapp.store.base import KEEP, Draft, Entry, Log, Page, Retention, bounded
from chatapp.store.batch import Batches
from chatapp.store.listener import Listener
from chatapp.store.redis_reading import BEYOND, Reader, entry_of
from chatapp.store.redis_scripts import (
    APPEND,
    BEGIN_ANEW,
    EPOCH,
    NEWEST,
    RETIRE,
    SCHEMA,
    TRIAL,
    VERSION,
    channel,
    keys_key,
    log_key,
)
from chatapp.store.redis_server import Server, logger, prepare
from chatapp.store.tails import Tails
from chatapp.store.tasks import event

T = TypeVar("T")
RETIRED_AT_ONCE = 100
SWEEP_PAUSE = 0.01  # seconds between steps
LONGEST_PAUSE = 2.0  # seconds between looks for a Redis that is away


class RedisLog(Log):
    """Keeps messages in the Redis at `url`, opened at its first use if not by `open`.

    What others append to a room that is attended is published, and a hint: gaps are read from the
    stream, where a later number comes, where the connection was broken, and every `check_interval`
    seconds. `patience`: seconds that Redis has for an answer. `sweep_interval`: seconds between
    looks at what retention no longer keeps. `clock`: seconds since 1970.
    """

    waits = True

    def __init__(
        self,
        url: str,
        retention: Retention = KEEP,
        *,
        patience: float = 2.0,
        check_interval: float = 1.0,
        sweep_interval: float = 60.0,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__()
        self._check_interval = check_interval
        self._sweep_interval = sweep_interval
        self._server = Server(url, patience)
        self._redis = self._server.client
        self._reader = Reader(self._redis, retention, clock)
        self._lock = threading.Lock()
        self._open = False
        self._closed = event()
        self._has_missed = False
        self._tails = Tails(self._missed, self._deliver)
        self._listener = Listener(self._redis, self._catch_up, self._hear, patience)
        self._renumbering = threading.Lock()
        self._batches = Batches(self._write, self._tails.said)

    def open(self) -> None:
        if self._open:
            return
        with self._lock:
            if not self._open:
                self._epoch = prepare(self._server)
                self._open = True
                self._listener.start()
                for work in (self._sweep, self._check_now_and_then):
                    threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._batches.close()
        self._listener.close()
        self._server.close()

    @property
    def epoch(self) -> str:
        self._open_for_use()
        return self._epoch

    def append(self, draft: Draft) -> Entry:
        self._open_for_use()
        return self._batches.append(draft)

    def attend(self, room: str) -> None:
        with suppress(Unavailable):  # else it's heard once Redis is back
            self._open_for_use()
        if room not in self._tails:
            self._listener.hear(room, wait=not self._server.away)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        def look_up() -> Entry | None:
            number: Any = self._redis.hget(keys_key(room), f"{fold(user)} {key}")
            if number is None:
                return None
            return next(self._reader.entries(room, int(number) - 1, int(number)), None)

        return self._ask(look_up) if key else None

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        if since is not None:
            entries = self._reader.entries(room, since, BEYOND)
        else:
            entries = self._reader.back(room, BEYOND if before is None else before)
        page = Page(*self._ask(lambda: bounded(entries, limit)))
        return page if since is not None else Page(page.entries[::-1], page.more)

    def available(self) -> bool:
        try:
            self._open_for_use()
        except Unavailable:
            return False
        return not self._server.away

    def _open_for_use(self) -> None:
        if self._closed.is_set():
            raise Unavailable
        try:
            self.open()
        except StoreError as error:
            logger.error("%s", error)
            raise Unavailable from None

    def _ask(self, question: Callable[[], T]) -> T:
        self._open_for_use()
        return self._server.ask(question)

    # What is said

    def _write(self, drafts: list[Draft]) -> Sequence[tuple[Entry, bool]]:
        """Where it is broken off, some may have been written: their keys tell, sent again."""
        epoch = self._epoch  # before what has been told in it
        calls = [(self._keys(draft.room), self._arguments(draft, epoch)) for draft in drafts]
        answers = self._ask(lambda: self._server.run(APPEND, *calls))
        if any(is_new < 0 for is_new, *_ in answers):
            self._ask(lambda: self._begin_anew(epoch))
            raise Unavailable
        return [
            (entry_of(draft.room, number, fields), bool(is_new))
            for draft, (is_new, number, fields) in zip(drafts, answers, strict=True)
        ]

    def _keys(self, room: str) -> list[str]:
        return [log_key(room), keys_key(room), NEWEST, EPOCH]

    def _arguments(self, draft: Draft, epoch: str) -> list[Any]:
        who = (draft.user, draft.message, draft.key, fold(draft.user))
        told = self._tails.told_in(draft.room)
        return [
            draft.room,
            *who,
            self._reader.now(),
            *self._reader.kept(),
            channel(draft.room),
            epoch,
            told,
        ]

    # What others say

    def _check_now_and_then(self) -> None:
        """See to it that nothing was missed; where Redis is away, look for it until it's back."""
        pause, looking = self._check_interval, False
        while not self._closed.wait(pause * random.uniform(0.75, 1.25)):  # noqa: S311 (no secret)
            try:
                self._server.look(self._check)
                pause, looking = self._check_interval, False
            except Unavailable:
                pause = min(2 * pause, LONGEST_PAUSE) if looking else self._check_interval / 8
                looking = True

    def _check(self) -> None:
        if self._server.away:  # else reading is enough
            self._redis.set(TRIAL, "")
        known, told = self._epoch, self._tails.told()
        epoch: Any = self._redis.get(EPOCH)
        numbers = self._reader.numbers(list(told))
        if epoch != known.encode() or any(numbers[room] < told[room] for room in told):
            self._begin_anew(known)
            return
        missed = [self._tails.reach(room, number) for room, number in numbers.items()]
        if any(missed) and self._has_missed:  # twice in a row: it hears nothing
            self._listener.begin_anew()
        self._has_missed = any(missed)

    def _begin_anew(self, known: str) -> None:
        """Redis has lost what it had in the epoch that is known, or others have found so: no number
        is silently used twice."""
        with self._renumbering:
            if self._epoch != known:
                return
            call = ([EPOCH, VERSION], [known, secrets.token_urlsafe(9), SCHEMA])
            (epoch,) = self._server.run(BEGIN_ANEW, call)
            self._tails.begin_anew(self._reader.numbers(list(self._tails.told())))
            self._epoch = epoch.decode()
        logger.error("Redis has lost messages that were told; their numbering begins anew")

    def _catch_up(self, room: str) -> None:
        with suppress(Unavailable):  # else at the next check
            self._tails.begin(room, self._reader.newest(room))

    def _hear(self, epoch: str, entry: Entry) -> None:
        if epoch == self._epoch:
            with suppress(Unavailable):  # else at the next check
                self._tails.heard(entry)

    def _missed(self, room: str, since: int, until: int) -> Iterator[Entry]:
        try:
            yield from self._reader.entries(room, since, until)
        except RedisError as error:
            self._server.goes_away(error)
            raise Unavailable from None

    # What is no longer kept

    def _sweep(self) -> None:
        """Take it away now and then."""
        while not self._closed.wait(self._sweep_interval):
            with suppress(Unavailable):
                for room, _ in self._ask(lambda: list(self._redis.hscan_iter(NEWEST))):
                    self._ask(lambda: self._retire(room.decode()))  # noqa: B023

    def _retire(self, room: str) -> None:
        kept = self._reader.kept()
        call = (self._keys(room), [room, *kept, RETIRED_AT_ONCE])
        while self._server.run(RETIRE, call) == [RETIRED_AT_ONCE] and not self._closed.is_set():
            self._closed.wait(SWEEP_PAUSE)
