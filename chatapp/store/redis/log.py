"""The log on Redis 7, which any number of processes share."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import time
from typing import Any, TypeVar

from chatapp.chat.log import KEEP, Draft, Entry, Page, Retention
from chatapp.chat.people.names import fold
from chatapp.chat.rooms import ROOM
from chatapp.errors import ChatError, Damaged, NameLost, Unavailable
from chatapp.store.background import OpenedLog, logger
from chatapp.store.batch import Batches
from chatapp.store.redis.client import Server, prepare
from chatapp.store.redis.damage import DamagedKey, reading
from chatapp.store.redis.delivery import Tails
from chatapp.store.redis.reader import Reader, entry_of
from chatapp.store.redis.scripts import (
    APPEND,
    BEGIN_ANEW,
    EPOCH,
    NAMES,
    NEWEST,
    NODES,
    RETIRE,
    SCHEMA,
    TRIAL,
    VERSION,
    channel,
    keys_key,
    log_key,
)
from chatapp.store.redis.subscriber import Broadcast, Hint, Listener

T = TypeVar("T")
RETIRED_AT_ONCE = 100
SWEEP_PAUSE = 0.01  # seconds between steps
LONGEST_PAUSE = 2.0  # seconds between looks for a Redis that is away
BROKEN, LOST = -1, -2
"""What APPEND answers in place of whether a message is new."""


class RedisLog(OpenedLog):
    """Keeps messages in the Redis at `url`.

    What others append to a room that is attended is published, and a hint: gaps are read from the
    stream, where a later number comes, where the connection was broken, and every `check_interval`
    seconds. `patience`: seconds that Redis has for an answer. `clock`: seconds since 1970.

    An error of one room's keys is that room's alone: a request for the room gets Damaged, and each
    loop over rooms goes on with the next one (damage.py).

    RedisRoster has names on the same Redis; `on_hint(room, hint)` is called for what is told of
    them, and `on_return()` when Redis is there again, before anything else is asked of it.
    RedisBroadcaster publishes over it; `on_broadcast(room, event, arguments, skip)` is called for
    each event that a node has published.
    """

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
        super().__init__(sweep_interval)
        self._check_interval = check_interval
        self.server = Server(url, patience)
        self._reader = Reader(self.server, retention, clock)
        self._has_missed = False
        self._tails = Tails(self._missed, self._deliver)
        self.on_return: Callable[[], None] = lambda: None
        self.on_hint: Callable[[str, Hint], None] = lambda *_: None
        self.on_broadcast: Callable[[str, str, list[Any], str], None] = lambda *_: None
        hear = (self._catch_up, self._hear, self._hear_hint, self._hear_broadcast)
        self.listener = Listener(self.server.client, self.server.damage, *hear, patience)
        self._renumbering = threading.Lock()
        self._batches: Batches[Draft, Entry] = Batches(self._write, self._tails.said)

    def _begin(self) -> None:
        self._epoch = prepare(self.server)
        self.listener.start()
        threading.Thread(target=self._check_now_and_then, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._batches.close()
        self.listener.close()
        self.server.close()

    @property
    def epoch(self) -> str:
        self._open_for_use()
        return self._epoch

    def append(self, draft: Draft) -> Entry:
        self._open_for_use()
        return self._batches.append(draft)

    def attend(self, room: str) -> None:
        """Of names nothing is told before the room is subscribed to, so that is waited for."""
        self._tails.begin(room)
        with suppress(Unavailable):  # else it's told of once Redis is back
            if not self._tails.has_begun(room):
                self._tails.reach(room, self.ask(lambda: self._reader.newest(room)))
        self.listener.hear(room, wait=not self.server.away)

    def find(self, room: str, user: str, key: str) -> Entry | None:
        return self.ask(lambda: self._reader.find(room, user, key)) if key else None

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        return self.ask(lambda: self._reader.page(room, since, before, limit))

    def available(self) -> bool:
        try:
            self._open_for_use()
        except Unavailable:
            return False
        return not self.server.away

    def ask(self, question: Callable[[], T]) -> T:
        """What Redis answers (Server.ask)."""
        self._open_for_use()
        return self.server.ask(question)

    # What is said

    def _write(self, drafts: list[Draft]) -> Sequence[tuple[Entry | ChatError, bool]]:
        """Where it is broken off, some may have been written: their keys tell, sent again."""
        epoch = self._epoch  # before what has been told in it
        calls = [(self._keys(draft.room), self._arguments(draft, epoch)) for draft in drafts]
        answers = self.ask(lambda: self.server.run(APPEND, *calls))
        if any(not isinstance(answer, Damaged) and answer[0] == BROKEN for answer in answers):
            self.ask(lambda: self._begin_anew(epoch))
            raise Unavailable
        return [self._outcome(*each) for each in zip(drafts, answers, strict=True)]

    def _outcome(self, draft: Draft, answer: Any) -> tuple[Entry | ChatError, bool]:
        """What has become of a draft, by the answer to APPEND."""
        if isinstance(answer, Damaged):
            return answer, False
        is_new, number, fields = answer
        if is_new == LOST:
            return NameLost(), False
        try:
            return entry_of(draft.room, number, fields), is_new == 1
        except DamagedKey as damage:
            return self.server.report(damage), False

    def _keys(self, room: str) -> list[str]:
        return [log_key(room), keys_key(room), NEWEST, EPOCH, NAMES, NODES]

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
            draft.holder,
        ]

    # What others say

    def _check_now_and_then(self) -> None:
        """See to it that nothing was missed; where Redis is away, look for it until it's back."""
        pause, looking = self._check_interval, False
        while not self._closed.wait(pause * random.uniform(0.75, 1.25)):  # noqa: S311 (no secret)
            try:
                self.server.look(self._check)
                pause, looking = self._check_interval, False
            except Unavailable:
                pause = min(2 * pause, LONGEST_PAUSE) if looking else self._check_interval / 8
                looking = True
            except Exception:
                logger.exception("what others have said couldn't be looked at")

    def _check(self) -> None:
        if self.server.away:  # else reading is enough
            self.server.client.set(TRIAL, "")
            self.on_return()
        known, told = self._epoch, self._tails.told()
        epoch, numbers = self._reader.look(list(told))
        if epoch != known.encode() or any(numbers[room] < told[room] for room in numbers):
            self._begin_anew(known)
            return
        missed = [self._reach(room, number) for room, number in numbers.items()]
        self._forget_rooms(list(told))
        if any(missed) and self._has_missed:  # twice in a row: it hears nothing
            self.listener.begin_anew()
        self._has_missed = any(missed)

    def _reach(self, room: str, number: int) -> bool:
        """Tell what is missing of one room (Tails.reach), unless it is damaged."""
        try:
            return self._tails.reach(room, number)
        except Damaged:
            return False

    def _forget_rooms(self, rooms: list[str]) -> None:
        """Those that nobody hears any more; whoever comes meanwhile has it heard again."""
        for room in rooms:
            if not self._is_heard(room):
                self._tails.end(room)
                self.listener.forget(room)
                if self._is_heard(room):
                    self.attend(room)

    def _is_heard(self, room: str) -> bool:
        return any(hears(room) for hears in self._hears)

    def _begin_anew(self, known: str) -> None:
        """Redis has lost what it had in the epoch that is known, or others have found so: no number
        is silently used twice."""
        with self._renumbering:
            if self._epoch != known:
                return
            arguments = [known, secrets.token_urlsafe(9), SCHEMA]
            epoch = self.server.call(BEGIN_ANEW, [EPOCH, VERSION], arguments)
            rooms = list(self._tails.told())
            numbers = self._reader.numbers(rooms)
            self._tails.begin_anew({room: numbers.get(room) for room in rooms})
            self._epoch = epoch.decode()
        logger.error("Redis has lost messages that were told; their numbering begins anew")
        self.break_off()

    def _catch_up(self, room: str) -> None:
        with suppress(Unavailable), self.server.asked():  # else at the next check
            if room in self._tails:
                self._tails.reach(room, self._reader.newest(room))

    def _hear(self, epoch: str, entry: Entry) -> None:
        if epoch == self._epoch:
            with suppress(Unavailable), self.server.asked():  # else at the next check
                if self._is_beyond(entry):
                    self.listener.drop(entry.room)
                else:
                    self._tails.heard(entry)

    def _is_beyond(self, entry: Entry) -> bool:
        """Whether the room hasn't reached that number. If it were told, it would look as if Redis
        had lost what came before it."""
        return entry.id > self._tails.told_in(entry.room) + 1 and entry.id > self._reader.newest(
            entry.room
        )

    def _hear_hint(self, room: str, hint: Hint) -> None:
        if hint.epoch == self._epoch:
            self.on_hint(room, hint)

    def _hear_broadcast(self, room: str, broadcast: Broadcast, arguments: list[Any]) -> None:
        if broadcast.epoch == self._epoch:
            self.on_broadcast(room, broadcast.event, arguments, broadcast.skip)

    def _missed(self, room: str, since: int, until: int) -> Iterator[Entry]:
        with self.server.asked():
            yield from self._reader.entries(room, since, until)

    # What is no longer kept

    def _sweep(self) -> None:
        """Where Redis takes nothing, too, as it may be full."""
        with self.server.asked(), reading(NEWEST):
            fields = [field for field, _ in self.server.client.hscan_iter(NEWEST)]
        for field in fields:
            room = field.decode("ascii", "replace")
            if ROOM.fullmatch(room):  # else it's none of the chat's, and has no messages
                with suppress(Damaged), self.server.asked():
                    self._retire(room)

    def _retire(self, room: str) -> None:
        arguments = [room, *self._reader.kept(), RETIRED_AT_ONCE]
        while self.server.call(RETIRE, self._keys(room), arguments) == RETIRED_AT_ONCE:
            if self._closed.wait(SWEEP_PAUSE):
                return
