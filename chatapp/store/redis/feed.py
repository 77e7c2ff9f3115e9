"""Follows what all nodes append and publish, and detects that Redis is back or lost data."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from chatapp.chat.log import Entry
from chatapp.errors import Damaged, Unavailable
from chatapp.store.redis.client import Server
from chatapp.store.redis.delivery import OrderedDelivery
from chatapp.store.redis.reader import Reader
from chatapp.store.redis.scripts import EPOCH, SCHEMA, SCHEMA_VERSION, START_EPOCH, TRIAL
from chatapp.store.redis.startup import new_epoch
from chatapp.store.redis.subscriber import Broadcast, Hint, Subscriber
from chatapp.store.threads import make_event

logger = logging.getLogger(__name__)
MAX_PROBE_INTERVAL = 2.0  # seconds
OnHint = Callable[[str, Hint], None]
OnBroadcast = Callable[[str, str, list[Any], str], None]


class Feed:
    """Deliver the entries of subscribed rooms in order, whichever node has appended them.

    A published message is only a hint. Missing entries are read from the log when a later number
    arrives, after each reconnection, and by a check every `check_interval` seconds. While Redis is
    down, the check probes it.

    Redis has lost data if the epoch is another one, or if a room's newest number is below one that
    was delivered. Then a new epoch starts and `on_reset()` is called, so that no number is used
    twice.

    A damaged room is skipped by every loop over rooms (damage.py).
    """

    def __init__(
        self,
        server: Server,
        reader: Reader,
        *,
        deliver: Callable[[Sequence[Entry]], None],
        wants: Callable[[str], bool],
        on_reset: Callable[[], None],
        patience: float,
        check_interval: float,
    ) -> None:
        self.epoch = ""
        self._server = server
        self._reader = reader
        self._wants = wants
        self._on_reset = on_reset
        self._check_interval = check_interval
        self._on_hint: list[OnHint] = []
        self._on_broadcast: list[OnBroadcast] = []
        self._on_reconnect: list[Callable[[], None]] = []
        self._was_behind = False
        self._changing_epoch = threading.Lock()
        self._closed = make_event()
        self.delivery = OrderedDelivery(self._read_missing, deliver)
        self.subscriber = Subscriber(
            server.client,
            server.damage,
            on_subscribed=self._catch_up,
            on_message=self._handle_message,
            on_hint=self._handle_hint,
            on_broadcast=self._handle_broadcast,
            patience=patience,
        )

    def on_hint(self, call: OnHint) -> None:
        """Call `call(room, hint)` for each hint about names. A node's own room is `@NODE`."""
        self._on_hint.append(call)

    def on_broadcast(self, call: OnBroadcast) -> None:
        """Call `call(room, event, arguments, skip)` for each event that a node has published."""
        self._on_broadcast.append(call)

    def on_reconnect(self, call: Callable[[], None]) -> None:
        """Call `call()` when Redis is back, before other commands are sent to it."""
        self._on_reconnect.append(call)

    def start(self, epoch: str) -> None:
        self.epoch = epoch
        self.subscriber.start()
        threading.Thread(target=self._check_loop, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self.subscriber.close()

    def subscribe_room(self, room: str) -> None:
        """Deliver the room's entries (Log.subscribe_room).

        Wait until the subscription is done: hints about names aren't repeated.
        """
        self.delivery.start(room)
        with suppress(Unavailable):  # a check does it once Redis is back
            if not self.delivery.has_started(room):
                newest = self._server.query(lambda: self._reader.newest_number(room))
                self.delivery.catch_up_to(room, newest)
        self.subscriber.subscribe(room, wait=not self._server.is_down)

    def _check_loop(self) -> None:
        interval, is_probing = self._check_interval, False
        while not self._closed.wait(interval * random.uniform(0.75, 1.25)):  # noqa: S311 (not a secret)
            try:
                self._server.probe(self.check)
                interval, is_probing = self._check_interval, False
            except Unavailable:
                longer = min(2 * interval, MAX_PROBE_INTERVAL)
                interval = longer if is_probing else self._check_interval / 8
                is_probing = True
            except Exception:
                logger.exception("the check of Redis failed; the next one tries again")

    def check(self) -> None:
        """Deliver missing entries, find lost data, and unsubscribe from unwanted rooms.

        Raises:
            RedisError, Unavailable: Redis can't be used.
        """
        if self._server.is_down:  # reading is enough for one that is up
            self._server.client.set(TRIAL, "")
            for call in self._on_reconnect:
                call()
        known, delivered = self.epoch, self.delivery.delivered()
        epoch, newest = self._reader.state(list(delivered))
        if epoch != known.encode() or any(newest[room] < delivered[room] for room in newest):
            self.start_epoch(known)
            return
        is_behind = [self._catch_up_to(room, number) for room, number in newest.items()]
        self._unsubscribe_unwanted(list(delivered))
        if any(is_behind) and self._was_behind:  # twice in a row: the subscription doesn't work
            self.subscriber.reconnect()
        self._was_behind = any(is_behind)

    def _catch_up_to(self, room: str, number: int) -> bool:
        try:
            return self.delivery.catch_up_to(room, number)
        except Damaged:
            return False

    def _unsubscribe_unwanted(self, rooms: list[str]) -> None:
        for room in rooms:
            if not self._wants(room):
                self.delivery.stop(room)
                self.subscriber.unsubscribe(room)
                if self._wants(room):  # a client has joined meanwhile
                    self.subscribe_room(room)

    def start_epoch(self, known: str) -> None:
        """Start a new epoch after `known`, or take over the one that another node has started.

        Raises:
            RedisError: Redis can't be used.
        """
        with self._changing_epoch:
            if self.epoch != known:
                return
            arguments = [known, new_epoch(), SCHEMA_VERSION]
            epoch = self._server.run_script(START_EPOCH, [EPOCH, SCHEMA], arguments)
            rooms = list(self.delivery.delivered())
            newest = self._reader.newest_numbers(rooms)
            self.delivery.restart({room: newest.get(room) for room in rooms})
            self.epoch = epoch.decode()
        logger.error(
            "Redis has lost delivered messages, and a new epoch has started; "
            "set appendonly and appendfsync in redis.conf to keep them"
        )
        self._on_reset()

    def _catch_up(self, room: str) -> None:
        with suppress(Unavailable), self._server.translate_errors():  # a check does it later
            if room in self.delivery:
                self.delivery.catch_up_to(room, self._reader.newest_number(room))

    def _handle_message(self, room: str, epoch: str, entry: Entry) -> None:
        if epoch == self.epoch:
            with suppress(Unavailable), self._server.translate_errors():  # a check does it later
                if self._is_beyond_log(entry):
                    self.subscriber.report_foreign(room)
                else:
                    self.delivery.on_entry(entry)

    def _is_beyond_log(self, entry: Entry) -> bool:
        """Return whether the room hasn't reached the entry's number.

        If such an entry was delivered, the next check would find data lost.
        """
        if entry.id <= self.delivery.last_delivered(entry.room) + 1:
            return False
        return entry.id > self._reader.newest_number(entry.room)

    def _handle_hint(self, room: str, hint: Hint) -> None:
        if hint.epoch == self.epoch:
            for call in self._on_hint:
                call(room, hint)

    def _handle_broadcast(self, room: str, broadcast: Broadcast, arguments: list[Any]) -> None:
        if broadcast.epoch == self.epoch:
            for call in self._on_broadcast:
                call(room, broadcast.event, arguments, broadcast.skip)

    def _read_missing(self, room: str, since: int, until: int) -> Iterator[Entry]:
        with self._server.translate_errors():
            yield from self._reader.entries(room, since, until)
