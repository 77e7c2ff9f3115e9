"""Hears what is told of rooms elsewhere, over a connection to Redis of its own."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import redis
from msgspec import Struct
from redis.exceptions import RedisError

from chatapp.chat.log import Entry
from chatapp.store.damage import DamageLog
from chatapp.store.redis.scripts import channel
from chatapp.store.threads import event

logger = logging.getLogger(__name__)
HELLO = channel("")
"""A channel of no room, so that there's always one to hear."""


class Said(Struct, array_like=True, tag="newmsg"):
    """A message, as APPEND publishes it."""

    epoch: str
    number: str
    at: str
    user: str
    message: str
    key: str


class Hint(Struct, array_like=True, tag="hint"):
    """That something has happened to a name, as roster.lua publishes it.

    `event`: as in docs/wire.md. `count`: how many names are in the room by now. `to`: what a name
    is called from now on. `holder`: the connection that caused it.
    """

    epoch: str
    event: str
    count: int
    user: str
    to: str
    holder: str


class Broadcast(Struct, array_like=True, tag="broadcast"):
    """An event for all clients in a room, as RedisBroadcaster publishes it.

    `arguments`: a JSON list. `skip`: the client that doesn't get the event, or empty.
    """

    epoch: str
    event: str
    arguments: str
    skip: str


class Listener:
    """Subscribed to rooms' channels, again and again where the connection breaks.

    `on_subscribed(room)` is called before anything is heard of a room, after each break too;
    `on_entry(epoch, entry)` for what is said, `on_hint(room, hint)` for names,
    `on_broadcast(room, broadcast, arguments)` for other events. What isn't heard while the
    connection is broken, nobody repeats: see RedisLog. What is published there and isn't the chat's
    is dropped, and goes to `damage`. `patience`: seconds that a subscription has.
    """

    def __init__(
        self,
        server: redis.Redis,
        damage: DamageLog,
        on_subscribed: Callable[[str], None],
        on_entry: Callable[[str, Entry], None],
        on_hint: Callable[[str, Hint], None],
        on_broadcast: Callable[[str, Broadcast, list[Any]], None],
        patience: float,
    ) -> None:
        self._server = server
        self._damage = damage
        self._on_subscribed = on_subscribed
        self._on_entry = on_entry
        self._on_hint = on_hint
        self._on_broadcast = on_broadcast
        self._patience = patience
        self._rooms: dict[str, Any] = {}  # events: that it's subscribed
        self._pubsub: Any = None
        self._lock = threading.Lock()  # of `_rooms` and what is written to the connection
        self._closed = event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def hear(self, room: str, wait: bool = True) -> None:
        """Hear the room from now on: with `wait` it is heard when this returns, unless Redis has
        gone away."""
        with self._lock:
            subscribed = self._rooms.get(room)
            if subscribed is None:
                subscribed = self._rooms[room] = event()
                self._try(lambda: self._pubsub.subscribe(channel(room)))
        if wait:
            subscribed.wait(self._patience)

    def forget(self, room: str) -> None:
        """Hear the room no longer."""
        with self._lock:
            if self._rooms.pop(room, None):
                self._try(lambda: self._pubsub.unsubscribe(channel(room)))

    def drop(self, room: str) -> None:
        """What was published of the room isn't the chat's: only the log tells of it."""
        name = channel(room)
        self._damage.report(name, f"what is published on {name} isn't the chat's, and is dropped")

    def rooms(self) -> list[str]:
        with self._lock:
            return list(self._rooms)

    def begin_anew(self) -> None:
        """Give up the connection for a new one."""
        with self._lock:
            pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None and pubsub.connection:
            pubsub.connection.disconnect()  # which ends the reading

    def close(self) -> None:
        self._closed.set()
        self.begin_anew()

    def _try(self, say: Callable[[], Any]) -> None:
        """A connection that's broken is made anew, with all rooms, by who reads it."""
        if self._pubsub is not None:
            try:
                say()
            except Exception as error:  # whatever a socket that two let go of says
                logger.debug("the listener's connection broke: %s", error)
                self._pubsub = None

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                pubsub: Any
                with self._server.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(HELLO)
                    self._listen(pubsub)
            except RedisError as error:
                logger.debug("the listener's connection broke: %s", error)
            except Exception:
                logger.exception("the listener failed, and begins anew")
            self._closed.wait(random.uniform(0.05, 0.5))  # noqa: S311 (not a secret)

    def _listen(self, pubsub: Any) -> None:
        with self._lock:
            if self._rooms:
                pubsub.subscribe(*map(channel, self._rooms))
            self._pubsub = pubsub
        while self._pubsub is pubsub and not self._closed.is_set():
            message = pubsub.get_message(timeout=None)
            if message is None:
                continue
            room = message["channel"].decode().removeprefix(HELLO)
            if message["type"] == "message":
                self._heard(room, message["data"])
            elif message["type"] == "subscribe" and room in self._rooms:
                self._on_subscribed(room)
                if subscribed := self._rooms.get(room):
                    subscribed.set()

    def _heard(self, room: str, data: bytes) -> None:
        try:
            told = msgspec.msgpack.decode(data, type=Said | Hint | Broadcast)
            if isinstance(told, Hint):
                self._on_hint(room, told)
                return
            if isinstance(told, Broadcast):
                self._on_broadcast(room, told, msgspec.json.decode(told.arguments, type=list))
                return
            numbers = int(told.number), int(told.at)
        except (ValueError, RecursionError):  # the latter for JSON that is nested too deep
            self.drop(room)
            return
        self._on_entry(told.epoch, Entry(room, *numbers, told.user, told.message, told.key))
