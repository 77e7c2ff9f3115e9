"""Chat: the rules. Who is speaking, may they, in which room; no sockets and no Flask."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeVar

from chatapp import wire
from chatapp.errors import (
    MessageEmpty,
    MessageTooLong,
    NameRequired,
    NotInRoom,
    RateLimited,
    RoomInvalid,
)
from chatapp.limits import Rate, bucket
from chatapp.presence import Presence
from chatapp.store.base import Draft, Entry, Log
from chatapp.usernames import UsernameSet, visible

ROOM = re.compile(r"[A-Za-z0-9_-]{1,64}")
T = TypeVar("T")


class Audience(Protocol):
    """Who hears. Rooms' membership is its own."""

    def send(self, client: str, event: str, *arguments: Any) -> None:
        """`client` hears `event`."""

    def tell(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        """Everyone in `room` hears `event`, but for the client `skip`."""

    def is_in(self, client: str, room: str) -> bool:
        """Whether `client` has joined `room`."""

    def later(self, seconds: float, call: Any) -> None:
        """Have `call()` called so many seconds later."""

    def close(self, client: str) -> None:
        """End the client's connection."""


class Bounds(NamedTuple):
    """What one connection may do. `max_message_chars`: code points; a rate of None: no limit."""

    max_message_chars: int = 4000
    message_limit: Rate | None = None
    name_limit: Rate | None = None
    event_limit: Rate | None = None


class Client:
    """One connection: its id, the name that it has, and what its limits leave it."""

    __slots__ = ("events", "flood", "gone", "id", "lock", "messages", "names", "user")

    def __init__(self, id: str, bounds: Bounds) -> None:  # noqa: A002
        self.id = id
        self.user: str | None = None
        self.gone = False
        self.lock = Lock()
        self.events = bucket(bounds.event_limit)
        self.flood = bucket(bounds.event_limit, times=2)
        self.names = bucket(bounds.name_limit)
        self.messages = bucket(bounds.message_limit)


class Chat:
    """The chat's rules, over a log, the names and an audience. Thread-safe."""

    def __init__(
        self, log: Log, usernames: UsernameSet, audience: Audience, bounds: Bounds
    ) -> None:
        self.audience = audience
        self._log = log
        self._usernames = usernames
        self._bounds = bounds
        self._presence = Presence(audience.tell, audience.later)
        log.follow(self._deliver)

    def connect(self, id: str) -> Client:  # noqa: A002
        """A connection has begun; it is in the lobby."""
        return Client(id, self._bounds)

    def disconnect(self, client: Client) -> None:
        """The connection has ended: its name is free at once, or when what it does now is done."""
        client.gone = True
        if client.lock.acquire(blocking=False):
            try:
                if self._usernames.release(client) and client.user is not None:
                    self._presence.depart(client.user, client.id)
            finally:
                client.lock.release()

    def turn(self, client: Client, do: Callable[[], T]) -> T:
        """Do one thing at a time for `client`, charged to its rate of all events.

        Raises:
            RateLimited: it is over that rate. One that goes on at twice the rate is closed.
        """
        try:
            with client.lock:
                self._charge(client)
                return do()
        finally:
            if client.gone:
                self.disconnect(client)

    def _charge(self, client: Client) -> None:
        try:
            client.flood.take()
        except RateLimited:
            self.audience.close(client.id)
            raise
        client.events.take()

    def name(self, client: Client, request: wire.SetUsername) -> wire.NameSet:
        """Give the client the name that it asks for; the first thing it hears is `userSet`."""
        client.names.take()
        user, previous = self._usernames.claim(request.name, client)
        client.user = user
        self.audience.send(client.id, "userSet", user)
        if previous is None:
            self._presence.enter(wire.LOBBY, user, client.id)
        elif previous != user:
            self._presence.rename(previous, user, client.id)
        return wire.NameSet(user=user)

    def say(self, client: Client, request: wire.Msg) -> wire.Said:
        """Append a message to its room's log; once it's there, the room hears it."""
        if client.user is None:
            raise NameRequired
        room = self._entered(client, request.room)
        client.messages.take()
        entry = self._log.find(room, client.user, request.key) if request.key else None
        if entry is None:
            self._judge(request.message)
            entry = self._log.append(Draft(room, client.user, request.message, request.key))
        return wire.Said(room=entry.room, id=entry.id, at=entry.at)

    def join(self, client: Client, request: wire.Join) -> wire.Joined:
        """Who is in the lobby, and its newest messages. Other rooms aren't there yet."""
        if request.room.lower() != wire.LOBBY:
            if client.user is None:
                raise NameRequired
            raise RoomInvalid("Only the lobby can be joined.")
        count, users = self._presence.users(wire.LOBBY)
        page = self._log.read(wire.LOBBY, limit=request.limit)
        return wire.Joined(
            room=wire.LOBBY,
            epoch=self._log.epoch,
            count=count,
            users=users,
            messages=[entry.arguments() for entry in page.entries],
            more=page.more,
        )

    def _entered(self, client: Client, room: str) -> str:
        """`room`'s name as it is kept, if the client is in it."""
        if not ROOM.fullmatch(room):
            raise RoomInvalid("A room's name is 1 to 64 letters, digits, - and _.")
        if not self.audience.is_in(client.id, room.lower()):
            raise NotInRoom(room.lower())
        return room.lower()

    def _judge(self, message: str) -> None:
        if not visible(message):
            raise MessageEmpty
        if len(message) > self._bounds.max_message_chars:
            raise MessageTooLong(len(message), self._bounds.max_message_chars)

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for entry in batch:
            self.audience.tell(entry.room, "newmsg", *entry.arguments())
