"""The log on Redis 7, which any number of processes share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from time import time
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from chatapp.errors import StoreError, Unavailable
from chatapp.names import fold
from chatapp.store.base import KEEP, Draft, Entry, Log, Page, Retention, bounded
from chatapp.store.batch import Batches
from chatapp.store.redis_scripts import APPEND, NEWEST, RETIRE, channel, keys_key, log_key
from chatapp.store.redis_server import connect, prepare, store_error
from chatapp.store.tasks import event

logger = logging.getLogger(__name__)
BEYOND = 2**53
"""More than any number of messages, and a number to Lua."""
CHUNK = 50
"""Entries that are read at once."""
RETIRED_AT_ONCE = 100
SWEEP_PAUSE = 0.01  # seconds between steps


class RedisLog(Log):
    """Keeps messages in the Redis at `url`, opened at its first use if not by `open`.

    `patience`: seconds that Redis has for an answer. `sweep_interval`: seconds between looks at
    what retention no longer keeps. `clock`: seconds since 1970.
    """

    waits = True

    def __init__(
        self,
        url: str,
        retention: Retention = KEEP,
        *,
        patience: float = 2.0,
        sweep_interval: float = 60.0,
        clock: Callable[[], float] = time,
    ) -> None:
        super().__init__()
        self.url = url
        self._retention = retention
        self._sweep_interval = sweep_interval
        self._clock = clock
        self._server = connect(url, patience)
        self._scripts: dict[str, Any] = {}  # what Redis calls them, by their text
        self._lock = threading.Lock()
        self._open = False
        self._closed = event()
        self._batches = Batches(self._write, self._deliver)
        self._failing = False

    def open(self) -> None:
        if self._open:
            return
        with self._lock:
            if not self._open:
                self._epoch = prepare(self._server, self.url)
                self._open = True
                threading.Thread(target=self._sweep, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._batches.close()
        with self._lock:
            self._server.close()
            self._open = False

    @property
    def epoch(self) -> str:
        self._open_for_use()
        return self._epoch

    def append(self, draft: Draft) -> Entry:
        self._open_for_use()
        return self._batches.append(draft)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        def look_up() -> Entry | None:
            number: Any = self._server.hget(keys_key(room), f"{fold(user)} {key}")
            if number is None:
                return None
            return next(self._entries(room, int(number) - 1, int(number)), None)

        return self._asked(look_up) if key else None

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        if since is not None:
            entries = self._entries(room, since, BEYOND)
        else:
            entries = self._entries_back(room, BEYOND if before is None else before)
        page = Page(*self._asked(lambda: bounded(entries, limit)))
        return page if since is not None else Page(page.entries[::-1], page.more)

    def available(self) -> bool:
        """Whether messages are taken now; where the last weren't, asks."""
        try:
            self._open_for_use()
            if self._failing:
                self._asked(self._server.ping)
        except Unavailable:
            return False
        return True

    def _open_for_use(self) -> None:
        if self._closed.is_set():
            raise Unavailable
        try:
            self.open()
        except StoreError as error:
            self._complain(str(error))
            raise Unavailable from None

    def _complain(self, trouble: str) -> None:
        if not self._failing:
            logger.error("%s; messages aren't taken until then", trouble)
        self._failing = True

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """What Redis answers.

        Raises:
            Unavailable: nothing in time.
        """
        self._open_for_use()
        try:
            result = ask()
        except RedisError as error:
            self._complain(str(store_error(self.url, error)))
            raise Unavailable from None
        if self._failing:
            logger.warning("The chat's Redis takes messages again")
        self._failing = False
        return result

    # What is said

    def _write(self, drafts: list[Draft]) -> Sequence[tuple[Entry, bool]]:
        """Where it is broken off, some may have been written: their keys tell, sent again."""
        calls = [(self._keys(draft.room), self._arguments(draft)) for draft in drafts]
        answers = self._asked(lambda: self._run(APPEND, calls))
        return [
            (entry_of(draft.room, number, fields), bool(is_new))
            for draft, (is_new, number, fields) in zip(drafts, answers, strict=True)
        ]

    def _keys(self, room: str) -> list[str]:
        return [log_key(room), keys_key(room), NEWEST]

    def _arguments(self, draft: Draft) -> list[Any]:
        now = int(self._clock() * 1000)
        who = (draft.user, draft.message, draft.key, fold(draft.user))
        return [draft.room, *who, now, *self._kept(now), channel(draft.room)]

    def _kept(self, now: int) -> tuple[int, int]:
        """How many of the newest are kept, and since when; in ms since 1970."""
        return self._retention.messages or BEYOND, self._retention.cutoff(now)

    def _run(self, script: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run a script with the keys and arguments of each call, all in one round trip."""
        answers: list[Any] = [NoScriptError()] * len(calls)
        while missing := [n for n, answer in enumerate(answers) if is_unknown(answer)]:
            if script not in self._scripts:
                self._scripts[script] = self._server.script_load(script)
            pipeline = self._server.pipeline(transaction=False)
            for number in missing:
                keys, arguments = calls[number]
                pipeline.evalsha(self._scripts[script], len(keys), *keys, *arguments)
            for number, answer in zip(missing, pipeline.execute(False), strict=True):
                answers[number] = answer
                if is_unknown(answer):  # Redis has been started anew
                    self._scripts.pop(script, None)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    # What was said

    def _newest(self, room: str) -> int:
        newest: Any = self._server.hget(NEWEST, room)
        return int(newest.partition(b" ")[0]) if newest else 0

    def _entries(self, room: str, since: int, until: int) -> Iterator[Entry]:
        """Those that are kept, after one number and up to another."""
        most, cutoff = self._kept(int(self._clock() * 1000))
        since = max(since, self._newest(room) - most)
        while True:
            found: Any = self._server.xrange(log_key(room), f"{since + 1}-0", f"{until}-0", CHUNK)
            for id_, fields in found:
                entry = entry_of(room, number_of(id_), fields)
                since = entry.id
                if entry.at >= cutoff:
                    yield entry
            if len(found) < CHUNK:
                return

    def _entries_back(self, room: str, before: int) -> Iterator[Entry]:
        """Those that are kept before a number, the newest first."""
        most, cutoff = self._kept(int(self._clock() * 1000))
        oldest = max(0, self._newest(room) - most)
        while before > oldest + 1:
            found: Any = self._server.xrevrange(log_key(room), f"{before - 1}-0", "-", CHUNK)
            for id_, fields in found:
                entry = entry_of(room, number_of(id_), fields)
                before = entry.id
                if entry.id <= oldest or entry.at < cutoff:
                    return
                yield entry
            if len(found) < CHUNK:
                return

    def _sweep(self) -> None:
        """Now and then take away what retention no longer keeps."""
        while not self._closed.wait(self._sweep_interval):
            try:
                for room, _ in self._server.hscan_iter(NEWEST):
                    self._retire(room.decode())
            except RedisError as error:
                self._complain(str(store_error(self.url, error)))

    def _retire(self, room: str) -> None:
        kept = self._kept(int(self._clock() * 1000))
        call = (self._keys(room), [room, *kept, RETIRED_AT_ONCE])
        while self._run(RETIRE, [call])[0] == RETIRED_AT_ONCE and not self._closed.is_set():
            self._closed.wait(SWEEP_PAUSE)


def is_unknown(answer: Any) -> bool:
    return isinstance(answer, NoScriptError)


def number_of(id_: bytes) -> int:
    return int(id_.partition(b"-")[0])


def entry_of(room: str, number: Any, fields: Any) -> Entry:
    """The entry of a stream's fields: names and values in turn, or by name."""
    if not isinstance(fields, dict):
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Entry(room, int(number), int(text["at"]), text["user"], text["message"], text["key"])
