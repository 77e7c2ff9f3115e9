"""Receives what nodes publish on the channels of rooms, over a connection of its own."""

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
from chatapp.store.threads import make_event

logger = logging.getLogger(__name__)
BASE_CHANNEL = channel("")
"""The prefix of all channels, and one of its own, which keeps the connection subscribed."""


class Message(Struct, array_like=True, tag="newmsg"):
    """A message, as append.lua publishes it."""

    epoch: str
    number: str
    at: str
    user: str
    message: str
    key: str


class Hint(Struct, array_like=True, tag="hint"):
    """A change of a name in a room, as roster.lua publishes it.

    `event`: as in docs/wire.md. `count`: the number of names in the room after it. `to`: the new
    name, or empty. `holder`: the connection that caused it.
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


class Subscriber:
    """Subscribe to the channels of rooms; connect again whenever the connection is lost.

    Its thread calls these, with the room first:

    - `on_subscribed(room)`: before anything is received from the room, after each reconnection too.
    - `on_message(room, epoch, entry)`, `on_hint(room, hint)`, and
      `on_broadcast(room, broadcast, arguments)`: for what was published.

    Publications are lost while the connection is. One that the chat hasn't written is dropped and
    reported to `damage`. `patience`: seconds that a subscription may take.
    """

    def __init__(
        self,
        server: redis.Redis,
        damage: DamageLog,
        *,
        on_subscribed: Callable[[str], None],
        on_message: Callable[[str, str, Entry], None],
        on_hint: Callable[[str, Hint], None],
        on_broadcast: Callable[[str, Broadcast, list[Any]], None],
        patience: float,
    ) -> None:
        self._server = server
        self._damage = damage
        self._on_subscribed = on_subscribed
        self._on_message = on_message
        self._on_hint = on_hint
        self._on_broadcast = on_broadcast
        self._patience = patience
        self._rooms: dict[str, Any] = {}  # events, set once the room is subscribed to
        self._pubsub: Any = None
        self._lock = threading.Lock()  # of `_rooms` and of writes to the connection
        self._closed = make_event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def subscribe(self, room: str, wait: bool = True) -> None:
        """Subscribe to a room; with `wait`, return once that is done or patience is over."""
        with self._lock:
            subscribed = self._rooms.get(room)
            if subscribed is None:
                subscribed = self._rooms[room] = make_event()
                self._write(lambda: self._pubsub.subscribe(channel(room)))
        if wait:
            subscribed.wait(self._patience)

    def unsubscribe(self, room: str) -> None:
        with self._lock:
            if self._rooms.pop(room, None):
                self._write(lambda: self._pubsub.unsubscribe(channel(room)))

    def report_foreign(self, room: str) -> None:
        """Log that a publication was dropped, as the chat hasn't written it."""
        name = channel(room)
        self._damage.report(
            name,
            f"another program publishes on {name}, and that is dropped; give it another channel",
        )

    def reconnect(self) -> None:
        """Close the connection, so that the thread opens another one."""
        with self._lock:
            pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None and pubsub.connection:
            pubsub.connection.disconnect()  # this ends the thread's read

    def close(self) -> None:
        self._closed.set()
        self.reconnect()

    def _write(self, send: Callable[[], Any]) -> None:
        """Send a command. If the connection is lost, the thread subscribes to all rooms again."""
        if self._pubsub is not None:
            try:
                send()
            except Exception as error:  # errors of sockets that another thread closes vary
                logger.debug("the subscriber's connection was lost: %s", error)
                self._pubsub = None

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                pubsub: Any
                with self._server.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(BASE_CHANNEL)
                    self._receive(pubsub)
            except RedisError as error:
                logger.debug("the subscriber's connection was lost: %s", error)
            except Exception:
                logger.exception("the subscriber failed and connects again")
            self._closed.wait(random.uniform(0.05, 0.5))  # noqa: S311 (not a secret)

    def _receive(self, pubsub: Any) -> None:
        with self._lock:
            if self._rooms:
                pubsub.subscribe(*map(channel, self._rooms))
            self._pubsub = pubsub
        while self._pubsub is pubsub and not self._closed.is_set():
            message = pubsub.get_message(timeout=None)
            if message is None:
                continue
            room = message["channel"].decode().removeprefix(BASE_CHANNEL)
            if message["type"] == "message":
                self._dispatch(room, message["data"])
            elif message["type"] == "subscribe" and room in self._rooms:
                self._on_subscribed(room)
                if subscribed := self._rooms.get(room):
                    subscribed.set()

    def _dispatch(self, room: str, data: bytes) -> None:
        try:
            found = msgspec.msgpack.decode(data, type=Message | Hint | Broadcast)
            if isinstance(found, Hint):
                self._on_hint(room, found)
                return
            if isinstance(found, Broadcast):
                self._on_broadcast(room, found, msgspec.json.decode(found.arguments, type=list))
                return
            numbers = int(found.number), int(found.at)
        except (ValueError, RecursionError):  # the latter for JSON that is nested too deep
            self.report_foreign(room)
            return
        entry = Entry(room, *numbers, found.user, found.message, found.key)
        self._on_message(room, found.epoch, entry)
