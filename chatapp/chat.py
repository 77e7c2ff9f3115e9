"""Chat: the rules. Who is speaking, may they, in which room; no sockets and no Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TypeVar

from msgspec import UNSET, UnsetType

from chatapp import wire
from chatapp.audience import Audience
from chatapp.client import Bounds, Client, Gone
from chatapp.errors import (
    MessageEmpty,
    MessageTooLong,
    NameRequired,
    NotInRoom,
    RoomInvalid,
    StoreError,
    TakenOver,
    TooManyRooms,
    Unavailable,
)
from chatapp.names import fold, visible
from chatapp.presence import Absence, Presence
from chatapp.store.base import Draft, Entry, Log
from chatapp.turns import Turns
from chatapp.usernames import Hold, UsernameSet

T = TypeVar("T")


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
        self._turns = Turns(audience, self._clean_up)
        self._opening = Lock()
        self._is_open = False
        log.follow(self._deliver)

    def open(self) -> None:
        """Open the log, and hold the names that were to be held when it was left.

        Raises:
            StoreError, Unavailable: it can't be used.
        """
        with self._opening:
            if not self._is_open:
                self._log.open()
                for hold in self._usernames.restore():
                    self._await_owner(hold.user, hold, [wire.LOBBY, *hold.rooms])
            self._is_open = True

    def close(self) -> None:
        """Finish what was accepted, and take no more."""
        self._log.close()

    def connect(self, id: str) -> Client:  # noqa: A002
        """A connection has begun; it is in the lobby."""
        with suppress(StoreError, Unavailable):  # whatever needs the log says that it's unavailable
            self.open()
        self.audience.enter(id, wire.LOBBY)
        return Client(id, self._bounds)

    def disconnect(self, client: Client, how: Gone) -> None:
        """The connection has ended: its name is free at once, or when what it does now is done,
        unless it is to be held."""
        self._turns.end(client, how)

    def _clean_up(self, client: Client, how: Gone) -> None:
        if client.user is None:  # nor will it have a name: its turns are over
            return
        with self._usernames.changing(client):
            if how is Gone.GOODBYE:
                left: str | Hold | None = self._usernames.release(client)
            else:
                left = self._usernames.break_off(client)
            if isinstance(left, Hold):
                self._await_owner(left.user, left)
            elif left is not None:
                self._presence.depart(left, client.id)

    def _await_owner(self, user: str, hold: Hold | None = None, rooms: Iterable[str] = ()) -> None:
        """The name stays in its rooms until its owner is back in them, or its time is over."""
        absence = self._presence.be_absent(user, rooms)
        self.audience.later(self._bounds.name_hold, partial(self._give_up, absence, hold))

    def _give_up(self, absence: Absence, hold: Hold | None) -> None:
        with self._usernames.changing(None, fold(absence.user)):
            if hold:
                self._usernames.end_hold(hold)
            self._presence.give_up(absence)
            self._remember_rooms(absence.user)

    def turn(self, client: Client, do: Callable[[], T], *, beside: bool = False) -> T:
        """Do one thing at a time for `client` (Turns.take).

        Raises:
            RateLimited: it is over its rate of all events.
        """
        return self._turns.take(client, do, beside)

    def name(self, client: Client, request: wire.SetUsername) -> wire.NameSet:
        """Give the client the name that it asks for; the first thing it hears is `userSet`."""
        client.names.take()
        with self._usernames.changing(client, self._usernames.folded(request.name)):
            rooms = self._rooms_to_keep(client.user)
            token, hold = request.token, request.hold
            claim = self._usernames.claim(request.name, client, token, hold=hold, rooms=rooms)
            user = client.user = claim.user
            self.audience.send(client.id, "userSet", user)
            if claim.ousted and claim.listed:
                claim.ousted.user = None
                self._await_owner(claim.listed)
            for before in (claim.listed, claim.previous):
                if before not in (None, user):
                    self._presence.rename(before, user, client.id)
            for room in self.audience.rooms(client.id):
                self._presence.enter(room, user, client.id)
            self._remember_rooms(user)
        if claim.ousted and claim.listed:
            refusal = TakenOver(claim.listed)
            self.audience.dismiss(claim.ousted.id, "setUsername", refusal)
        return wire.NameSet(user=user, token=claim.token if hold else UNSET)

    def say(self, client: Client, request: wire.Msg) -> wire.Said:
        """Append a message to its room's log; once it's there, the room hears it."""
        user = client.user  # which another connection may take over while this one waits
        if user is None:
            raise NameRequired
        room = self._entered(client, request.room)
        client.messages.take()
        try:
            self._judge(request.message)
            entry = self._append(client, Draft(room, user, request.message, request.key))
        except (MessageEmpty, MessageTooLong):
            # A key is looked up before the text is judged, and seldom with such a text.
            if not request.key:
                raise
            self._turns.settle(client)  # its first message may be waiting for the log
            found = self._log.find(room, user, request.key)
            if found is None:
                raise
            entry = found
        return wire.Said(room=entry.room, id=entry.id, at=entry.at)

    def _append(self, client: Client, draft: Draft) -> Entry:
        if not self._log.waits:
            return self._log.append(draft)
        with self._turns.waiting(client):
            return self._log.append(draft)

    def join(self, client: Client, request: wire.Join) -> wire.Joined:
        """Have the client hear a room; who is in it, and what it said.

        The client hears the room before its log is read, so that nothing is lost between.
        """
        room = self._room(client, request.room)
        is_new = not self.audience.is_in(client.id, room)
        if is_new and len(self.audience.rooms(client.id)) >= self._bounds.max_rooms:
            raise TooManyRooms(self._bounds.max_rooms)
        if is_new:
            self.audience.enter(client.id, room)
        try:
            page = self._log.read(room, since=given(request.since), limit=request.limit)
        except Unavailable:
            if is_new:
                self.audience.leave(client.id, room)
            raise
        if is_new:
            self._change_room(client, room, self._presence.enter)
        count, users = self._presence.users(room)
        return wire.Joined(
            room=room,
            epoch=self._log.epoch,
            count=count,
            users=users,
            messages=[entry.arguments() for entry in page.entries],
            more=page.more,
        )

    def leave(self, client: Client, request: wire.Leave) -> wire.Left:
        """Have the client hear a room no longer; the lobby can't be left."""
        room = self._entered(client, request.room)
        if room == wire.LOBBY:
            raise RoomInvalid("The lobby can't be left.")
        self.audience.leave(client.id, room)
        self._change_room(client, room, self._presence.leave)
        return wire.Left(room=room)

    def history(self, client: Client, request: wire.History) -> wire.Read:
        """What a room said."""
        room = self._entered(client, request.room)
        since, before = given(request.since), given(request.before)
        page = self._log.read(room, since=since, before=before, limit=request.limit)
        messages = [entry.arguments() for entry in page.entries]
        return wire.Read(room=room, epoch=self._log.epoch, messages=messages, more=page.more)

    def typing(self, client: Client, request: wire.Typing) -> wire.Answer:
        """The others in the room hear that the client is typing."""
        if client.user is None:
            raise NameRequired
        room = self._entered(client, request.room)
        change = {"room": room, "user": client.user}
        self._presence.tell_others(room, "userTyping", change, client.id)
        return wire.Answer()

    def _change_room(
        self, client: Client, room: str, change: Callable[[str, str, str], None]
    ) -> None:
        with self._usernames.changing(client):
            if client.user is not None:
                change(room, client.user, client.id)
                self._remember_rooms(client.user)

    def _remember_rooms(self, user: str) -> None:
        self._usernames.remember_rooms(user, self._rooms_to_keep(user))

    def _rooms_to_keep(self, user: str | None) -> list[str]:
        """In the lobby everyone is."""
        rooms = self._presence.rooms_of(user) if user is not None else []
        return [room for room in rooms if room != wire.LOBBY]

    def _entered(self, client: Client, name: str) -> str:
        """The room of that name, if the client is in it."""
        room = self._room(client, name)
        if not self.audience.is_in(client.id, room):
            raise NotInRoom(room)
        return room

    def _room(self, client: Client, name: str) -> str:
        """The room's name as it is kept. Whoever has no name knows of the lobby only."""
        room = name.lower()
        if room != wire.LOBBY and client.user is None:
            raise NameRequired
        if not wire.ROOM.fullmatch(name):
            raise RoomInvalid("A room's name is 1 to 64 letters, digits, - and _.")
        return room

    def _judge(self, message: str) -> None:
        if not visible(message):
            raise MessageEmpty
        if len(message) > self._bounds.max_message_chars:
            raise MessageTooLong(len(message), self._bounds.max_message_chars)

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for entry in batch:
            self.audience.tell(entry.room, "newmsg", *entry.arguments())


def given(number: int | UnsetType) -> int | None:
    return None if number is UNSET else number
