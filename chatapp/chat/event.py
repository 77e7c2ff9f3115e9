"""Rows of the table of events (rules.EVENTS), and the checks that follow from a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct

from chatapp.chat import wire
from chatapp.chat.audience import Audience
from chatapp.chat.client import Client, Limits
from chatapp.chat.rooms import LOBBY, ROOM, ROOM_RULE
from chatapp.errors import NameRequired, NotInRoom, RoomInvalid
from chatapp.limits import Rate


class Sender(Struct, gc=False):
    """The client that sent an event, the name that it has, and the event's room, all checked.

    `user` stays the same even if another connection takes the name over meanwhile. It is empty for
    a client without a name, `room` for an event without a room.
    """

    client: Client
    user: str
    room: str


class Event(NamedTuple):
    """An event that a client may send; its name is that of the request.

    `handler` is called with the chat, the sender and the request. `needs_name`: the sender needs a
    name in the lobby, too; elsewhere it always does. `rate` is the event's own rate. An event that
    `may_overlap` begins while earlier ones of its client still wait for the log.
    """

    request: type[wire.Request]
    handler: Callable[..., wire.Answer]
    needs_name: bool = True
    has_room: bool = True
    members_only: bool = True
    rate: Callable[[Limits], Rate | None] | None = None
    may_overlap: bool = False

    def admit(self, client: Client, request: Any, audience: Audience) -> Sender:
        """Check the sender's name and the room, in the order of docs/wire.md, Refusals.

        Raises:
            NameRequired, RoomInvalid, NotInRoom: the client may not send this event there.
        """
        user = client.user or ""
        if self.needs_name and not user:
            raise NameRequired
        if not self.has_room:
            return Sender(client, user, "")
        room = request.room.lower()
        if room != LOBBY and not user:
            raise NameRequired
        if not ROOM.fullmatch(request.room):
            raise RoomInvalid(ROOM_RULE)
        if self.members_only and not audience.is_in(client.id, room):
            raise NotInRoom(room)
        return Sender(client, user, room)
