"""Chat: the rules, and EVENTS: the table of the events that clients may send.

Nothing here knows sockets or Flask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from msgspec import UNSET, UnsetType

from chatapp.chat import wire
from chatapp.chat.audience import Audience
from chatapp.chat.broadcaster import Broadcaster
from chatapp.chat.client import Client, DisconnectReason, Limits
from chatapp.chat.event import Event, Sender
from chatapp.chat.log import Draft, Entry, Log
from chatapp.chat.people.names import visible
from chatapp.chat.people.roster import Roster
from chatapp.chat.rooms import LOBBY, MAX_ROOMS
from chatapp.chat.sequencer import Sequencer
from chatapp.errors import (
    MessageEmpty,
    MessageTooLong,
    NameLost,
    RoomInvalid,
    StoreError,
    TooManyRooms,
    Unavailable,
)

T = TypeVar("T")


class Chat:
    """The chat's rules, on top of a log, a roster, a broadcaster and an audience. Thread-safe."""

    def __init__(
        self, log: Log, roster: Roster, broadcaster: Broadcaster, audience: Audience, limits: Limits
    ) -> None:
        self.audience = audience
        self._log = log
        self._roster = roster
        self._broadcaster = broadcaster
        self._max_message_chars = limits.max_message_chars
        self._limits = limits
        self._rates = {name: event.rate(limits) for name, event in EVENTS.items() if event.rate}
        self._sequencer = Sequencer(audience, roster.end)
        self._opening = Lock()
        self._is_open = False
        log.subscribe(self._deliver, lambda room: room == LOBBY or audience.has_members(room))
        log.on_reset(audience.close_all)

    def open(self) -> None:
        """Open the log, and hold the names that were held when it was closed.

        Raises:
            StoreError, Unavailable: the log can't be used.
        """
        with self._opening:
            if not self._is_open:
                self._log.open()
                self._log.subscribe_room(LOBBY)  # every client is in it
                self._roster.open()
            self._is_open = True

    def close(self) -> None:
        """Finish the appends that were accepted, and accept no more."""
        self._roster.close()
        self._log.close()

    def connect(self, id: str) -> Client:  # noqa: A002
        """Add a client, which is in the lobby at once."""
        with suppress(StoreError, Unavailable):  # each event that needs the log will be refused
            self.open()
        self.audience.enter(id, LOBBY)
        return Client(id, self._limits)

    def disconnect(self, client: Client, reason: DisconnectReason) -> None:
        """Remove a client that has disconnected, once its present event is handled.

        Its name is released or held.
        """
        self._sequencer.end(client, reason)

    def run(self, client: Client, do: Callable[[], T], *, overlaps: bool = False) -> T:
        """Run `do` for `client`, after what runs for it already (Sequencer.run).

        Raises:
            RateLimited: the client exceeds its rate of all events.
        """
        try:
            return self._sequencer.run(client, do, overlaps)
        except NameLost:
            self.audience.close(client.id)
            raise

    def handle(self, client: Client, request: wire.Request) -> wire.Answer:
        """Handle an event that `client` sent, by its row of EVENTS.

        Raises:
            ChatError: the event is refused (docs/wire.md, Refusals).
        """
        event = EVENTS[request.event]
        sender = event.admit(client, request, self.audience)
        if rate := self._rates.get(request.event):
            client.bucket(request.event, rate).take()
        return event.handler(self, sender, request)

    def set_username(self, sender: Sender, request: wire.SetUsername) -> wire.NameSet:
        """Give the sender a name. The first event that it gets is `userSet`."""
        client, hold = sender.client, request.hold
        named = self._roster.claim(client, request.name, request.token, hold=hold)
        self.audience.send(client.id, "userSet", named.user)
        return wire.NameSet(user=named.user, token=named.token if hold else UNSET)

    def post(self, sender: Sender, request: wire.Msg) -> wire.Posted:
        """Append a message to the room's log, which delivers it to the room."""
        client, user, room = sender.client, sender.user, sender.room
        try:
            self._check_message(request.message)
            entry = self._append(client, Draft(room, user, request.message, request.key, client.id))
        except (MessageEmpty, MessageTooLong):
            # The key is looked up first (docs/wire.md, Messages), here because few texts are bad.
            if not request.key:
                raise
            self._sequencer.wait_for_pending(client)  # its first message may be waiting for the log
            found = self._log.find(room, user, request.key)
            if found is None:
                raise
            entry = found
        return wire.Posted(room=entry.room, id=entry.id, at=entry.at)

    def _append(self, client: Client, draft: Draft) -> Entry:
        if not self._log.waits:
            return self._log.append(draft)
        with self._sequencer.overlap(client):
            return self._log.append(draft)

    def join(self, sender: Sender, request: wire.Join) -> wire.Joined:
        """Add the sender to a room, and return its members and a page of its log.

        The sender is in the room before its log is read. So it misses no message between the two.
        """
        client, room = sender.client, sender.room
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

    def leave(self, sender: Sender, request: wire.Leave) -> wire.Left:  # noqa: ARG002
        """Remove the sender from a room."""
        client, room = sender.client, sender.room
        if room == LOBBY:
            raise RoomInvalid("The lobby can't be left.")
        self.audience.leave(client.id, room)
        self._roster.leave(client, room)
        return wire.Left(room=room)

    def history(self, sender: Sender, request: wire.History) -> wire.HistoryPage:
        """Return a page of a room's log."""
        since, before = given(request.since), given(request.before)
        page = self._log.read(sender.room, since=since, before=before, limit=request.limit)
        messages = [entry.arguments() for entry in page.entries]
        return wire.HistoryPage(
            room=sender.room, epoch=page.epoch, messages=messages, more=page.more
        )

    def typing(self, sender: Sender, request: wire.Typing) -> wire.Answer:  # noqa: ARG002
        """Tell the others in the room that the sender is typing, unless the room is a crowd."""
        client, user, room = sender.client, sender.user, sender.room
        if self._roster.may_announce(client, room):
            change = {"room": room, "user": user}
            self._broadcaster.publish(room, "userTyping", change, skip=client.id)
        return wire.Answer()

    def _check_message(self, message: str) -> None:
        if not visible(message):
            raise MessageEmpty
        if len(message) > self._max_message_chars:
            raise MessageTooLong(len(message), self._max_message_chars)

    def _deliver(self, batch: Sequence[Entry]) -> None:
        for entry in batch:
            self.audience.broadcast(entry.room, "newmsg", *entry.arguments())


def given(number: int | UnsetType) -> int | None:
    return None if number is UNSET else number


EVENTS = {
    event.request.event: event
    for event in (
        Event(
            wire.SetUsername,
            Chat.set_username,
            needs_name=False,
            has_room=False,
            rate=lambda limits: limits.name_limit,
        ),
        Event(wire.Msg, Chat.post, rate=lambda limits: limits.message_limit, may_overlap=True),
        Event(wire.Join, Chat.join, needs_name=False, members_only=False),
        Event(wire.Leave, Chat.leave, needs_name=False),
        Event(wire.History, Chat.history, needs_name=False),
        Event(wire.Typing, Chat.typing),
    )
}
"""The events that clients may send, by name."""
