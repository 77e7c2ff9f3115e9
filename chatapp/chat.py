"""Chat: the rules. Who is speaking, may they, in which room; no sockets and no Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Lock
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
    RateLimited,
    RoomInvalid,
    StoreError,
    TakenOver,
    TooManyRooms,
    Unavailable,
)
from chatapp.presence import Presence
from chatapp.store.base import Draft, Entry, Log
from chatapp.usernames import Hold, UsernameSet, visible

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
        self._opening = Lock()
        self._is_open = False
        log.follow(self._deliver)

    def open(self) -> None:
        """Open the log, and hold the names that were to be held when it was left.

        Raises:
            StoreError: it can't be used.
        """
        with self._opening:
            if not self._is_open:
                self._log.open()
                for hold in self._usernames.restore():
                    self._wait_for_owner(hold, [wire.LOBBY, *hold.rooms])
            self._is_open = True

    def close(self) -> None:
        """Finish what was accepted, and take no more."""
        self._log.close()

    def connect(self, id: str) -> Client:  # noqa: A002
        """A connection has begun; it is in the lobby."""
        with suppress(StoreError):  # whatever needs the log says that it's unavailable
            self.open()
        self.audience.enter(id, wire.LOBBY)
        return Client(id, self._bounds)

    def disconnect(self, client: Client, how: Gone) -> None:
        """The connection has ended: its name is free at once, or when what it does now is done,
        unless it is to be held."""
        client.gone = how
        if not client.waiting and client.lock.acquire(blocking=False):
            try:
                self._clean_up(client, how)
            finally:
                client.lock.release()

    def _clean_up(self, client: Client, how: Gone) -> None:
        if how is Gone.GOODBYE:
            left: str | Hold | None = self._usernames.release(client)
        else:
            left = self._usernames.break_off(client)
        if isinstance(left, Hold):
            self._wait_for_owner(left)
        elif left is not None:
            self._presence.depart(left, client.id)

    def _wait_for_owner(self, hold: Hold, rooms: Sequence[str] = ()) -> None:
        """The name stays in its rooms until its owner is back in them, or its hold is over."""
        absence = self._presence.be_absent(hold.user, rooms)

        def give_up() -> None:
            self._usernames.end_hold(hold)
            self._presence.give_up(absence)

        self.audience.later(self._bounds.name_hold, give_up)

    def turn(self, client: Client, do: Callable[[], T], *, beside: bool = False) -> T:
        """Do one thing at a time for `client`, charged to its rate of all events; but messages
        that only wait for the log wait together, if they are `beside` each other.

        Raises:
            RateLimited: it is over that rate. One that goes on at twice the rate is closed.
        """
        try:
            if client.waiting and not beside:
                client.settled = Event()
                client.settled.wait()
                if client.gone:
                    raise Unavailable  # which nobody hears any more
            with client.lock:
                self._charge(client)
                return do()
        finally:
            if client.gone:
                self.disconnect(client, client.gone)

    @contextmanager
    def _waiting(self, client: Client) -> Iterator[None]:
        """Within its turn, let the client's next message begin its own."""
        client.waiting += 1
        client.lock.release()
        self.audience.hand_over(client.id)
        try:
            yield
        finally:
            client.lock.acquire()
            client.waiting -= 1
            if client.settled and not client.waiting:
                client.settled.set()
                client.settled = None

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
        claim = self._usernames.claim(request.name, client, request.token, hold=request.hold)
        user, client.user, client.holds = claim.user, claim.user, request.hold
        self.audience.send(client.id, "userSet", user)
        if claim.ousted:
            self._oust(claim.ousted)
        for before in (claim.listed, claim.previous):
            if before not in (None, user):
                self._presence.rename(before, user, client.id)
        for room in self.audience.rooms(client.id):
            self._presence.enter(room, user, client.id)
        self._remember_rooms(client)
        return wire.NameSet(user=user, token=claim.token if request.hold else UNSET)

    def _oust(self, client: Client) -> None:
        """Another connection has taken the client's name over: it is in its rooms no longer."""
        assert client.user
        absence = self._presence.be_absent(client.user)
        self.audience.later(self._bounds.name_hold, partial(self._presence.give_up, absence))
        user, client.user = client.user, None
        self.audience.dismiss(client.id, "setUsername", TakenOver(user))

    def say(self, client: Client, request: wire.Msg) -> wire.Said:
        """Append a message to its room's log; once it's there, the room hears it."""
        if client.user is None:
            raise NameRequired
        room = self._entered(client, request.room)
        client.messages.take()
        try:
            self._judge(request.message)
            entry = self._append(client, Draft(room, client.user, request.message, request.key))
        except (MessageEmpty, MessageTooLong):
            # A key is looked up before the text is judged, and seldom with such a text.
            found = self._log.find(room, client.user, request.key) if request.key else None
            if found is None:
                raise
            entry = found
        return wire.Said(room=entry.room, id=entry.id, at=entry.at)

    def _append(self, client: Client, draft: Draft) -> Entry:
        if not self._log.waits:
            return self._log.append(draft)
        with self._waiting(client):
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
        if is_new and client.user:
            self._presence.enter(room, client.user, client.id)
            self._remember_rooms(client)
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
        assert client.user
        self.audience.leave(client.id, room)
        self._presence.leave(room, client.user, client.id)
        self._remember_rooms(client)
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

    def _remember_rooms(self, client: Client) -> None:
        """In the lobby everyone is."""
        if client.holds and client.user:
            rooms = self._presence.rooms_of(client.user)
            self._usernames.remember_rooms(client, (r for r in rooms if r != wire.LOBBY))

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
