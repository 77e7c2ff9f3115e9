"""Chat: the rules. Who is speaking, may they, in which room; no sockets and no Flask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from msgspec import UNSET, UnsetType

from chatapp.chat import wire
from chatapp.chat.audience import Audience
from chatapp.chat.broadcaster import Broadcaster
from chatapp.chat.client import Client, Gone, Limits
from chatapp.chat.log import Draft, Entry, Log
from chatapp.chat.people.names import visible
from chatapp.chat.people.roster import Roster
from chatapp.chat.rooms import LOBBY, MAX_ROOMS, ROOM
from chatapp.chat.sequencer import Sequencer
from chatapp.errors import (
    MessageEmpty,
    MessageTooLong,
    NameLost,
    NameRequired,
    NotInRoom,
    RoomInvalid,
    StoreError,
    TooManyRooms,
    Unavailable,
)

T = TypeVar("T")


class Chat:
    """The chat's rules, over a log, a roster, a broadcaster and an audience. Thread-safe."""

    def __init__(
        self, log: Log, roster: Roster, broadcaster: Broadcaster, audience: Audience, limits: Limits
    ) -> None:
        self.audience = audience
        self._log = log
        self._roster = roster
        self._broadcaster = broadcaster
        self._limits = limits
        self._sequencer = Sequencer(audience, roster.end)
        self._opening = Lock()
        self._is_open = False
        log.subscribe(self._deliver, lambda room: room == LOBBY or audience.hears(room))
        log.on_reset(audience.close_all)

    def open(self) -> None:
        """Open the log, and hold the names that were to be held when it was left.

        Raises:
            StoreError, Unavailable: it can't be used.
        """
        with self._opening:
            if not self._is_open:
                self._log.open()
                self._log.subscribe_room(LOBBY)  # where everyone is who connects
                self._roster.open()
            self._is_open = True

    def close(self) -> None:
        """Finish what was accepted, and take no more."""
        self._roster.close()
        self._log.close()

    def connect(self, id: str) -> Client:  # noqa: A002
        """A connection has begun; it is in the lobby."""
        with suppress(StoreError, Unavailable):  # whatever needs the log says that it's unavailable
            self.open()
        self.audience.enter(id, LOBBY)
        return Client(id, self._limits)

    def disconnect(self, client: Client, how: Gone) -> None:
        """The connection has ended: its name is free at once, or when what it does now is done,
        unless it is to be held."""
        self._sequencer.end(client, how)

    def turn(self, client: Client, do: Callable[[], T], *, beside: bool = False) -> T:
        """Do one thing at a time for `client` (Sequencer.run).

        Raises:
            RateLimited: it is over its rate of all events.
        """
        try:
            return self._sequencer.run(client, do, beside)
        except NameLost:
            self.audience.close(client.id)
            raise

    def name(self, client: Client, request: wire.SetUsername) -> wire.NameSet:
        """Give the client the name that it asks for; the first thing it hears is `userSet`."""
        client.name_bucket.take()
        hold = request.hold
        named = self._roster.claim(client, request.name, request.token, hold=hold)
        self.audience.send(client.id, "userSet", named.user)
        return wire.NameSet(user=named.user, token=named.token if hold else UNSET)

    def say(self, client: Client, request: wire.Msg) -> wire.Said:
        """Append a message to its room's log; once it's there, the room hears it."""
        user = client.user  # which another connection may take over while this one waits
        if user is None:
            raise NameRequired
        room = self._entered(client, request.room)
        client.message_bucket.take()
        try:
            self._judge(request.message)
            entry = self._append(client, Draft(room, user, request.message, request.key, client.id))
        except (MessageEmpty, MessageTooLong):
            # A key is looked up before the text is judged, and seldom with such a text.
            if not request.key:
                raise
            self._sequencer.wait_for_pending(client)  # its first message may be waiting for the log
            found = self._log.find(room, user, request.key)
            if found is None:
                raise
            entry = found
        return wire.Said(room=entry.room, id=entry.id, at=entry.at)

    def _append(self, client: Client, draft: Draft) -> Entry:
        if not self._log.waits:
            return self._log.append(draft)
        with self._sequencer.overlap(client):
            return self._log.append(draft)

    def join(self, client: Client, request: wire.Join) -> wire.Joined:
        """Have the client hear a room; who is in it, and what it said.

        The client hears the room before its log is read, so that nothing is lost between.
        """
        room = self._room(client, request.room)
        is_new = not self.audience.is_in(client.id, room)
        if is_new and len(self.audience.rooms(client.id)) >= MAX_ROOMS:
            raise TooManyRooms(MAX_ROOMS)
        if is_new:
            self.audience.enter(client.id, room)
        try:
            self._log.subscribe_room(room)
            page = self._log.read(room, since=given(request.since), limit=request.limit)
            count, users = self._roster.enter(client, room)
        except Unavailable:
            if is_new:
                self.audience.leave(client.id, room)
            raise
        return wire.Joined(
            room=room,
            epoch=page.epoch,
            count=count,
            users=users,
            messages=[entry.arguments() for entry in page.entries],
            more=page.more,
        )

    def leave(self, client: Client, request: wire.Leave) -> wire.Left:
        """Have the client hear a room no longer; the lobby can't be left."""
        room = self._entered(client, request.room)
        if room == LOBBY:
            raise RoomInvalid("The lobby can't be left.")
        self.audience.leave(client.id, room)
        self._roster.leave(client, room)
        return wire.Left(room=room)

    def history(self, client: Client, request: wire.History) -> wire.Read:
        """What a room said."""
        room = self._entered(client, request.room)
        since, before = given(request.since), given(request.before)
        page = self._log.read(room, since=since, before=before, limit=request.limit)
        messages = [entry.arguments() for entry in page.entries]
        return wire.Read(room=room, epoch=page.epoch, messages=messages, more=page.more)

    def typing(self, client: Client, request: wire.Typing) -> wire.Answer:
        """Tell the others in the room that the client is typing, unless the room is a crowd."""
        user = client.user  # another connection may take the name over meanwhile
        if user is None:
            raise NameRequired
        room = self._entered(client, request.room)
        if self._roster.may_announce(client, room):
            change = {"room": room, "user": user}
            self._broadcaster.publish(room, "userTyping", change, skip=client.id)
        return wire.Answer()

    def _entered(self, client: Client, name: str) -> str:
        """The room of that name, if the client is in it."""
        room = self._room(client, name)
        if not self.audience.is_in(client.id, room):
            raise NotInRoom(room)
        return room

    def _room(self, client: Client, name: str) -> str:
        """The room's name as it is kept. Whoever has no name knows of the lobby only."""
        room = name.lower()
        if room != LOBBY and client.user is None:
            raise NameRequired
        if not ROOM.fullmatch(name):
            raise RoomInvalid("A room's name is 1 to 64 letters, digits, - and _.")
        return room

    def _judge(self, message: str) -> None:
        if not visible(message):
            raise MessageEmpty
        if len(message) > self._limits.max_message_chars:
            raise MessageTooLong(len(message), self._limits.max_message_chars)

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for entry in batch:
            self.audience.tell(entry.room, "newmsg", *entry.arguments())


def given(number: int | UnsetType) -> int | None:
    return None if number is UNSET else number
