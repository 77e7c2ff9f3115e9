"""The clients in a namespace, and which of them are in which room."""

from __future__ import annotations

from engineio.packet import Packet

from chatapp.transport.loop.batching import BatchedOutbox

RoomName = str | None
"""None is the room of all clients in a namespace, as in python-socketio."""


class Member:
    """A client in a namespace.

    `eio_sid` is its Engine.IO session, `sid` the id that it has in the namespace. `pending` are the
    packets that are sent once its CONNECT packet has been answered; from then on it is None.
    """

    __slots__ = ("connected", "eio_sid", "outbox", "pending", "pending_bytes", "rooms", "sid")

    def __init__(self, sid: str, eio_sid: str) -> None:
        self.sid = sid
        self.eio_sid = eio_sid
        self.connected = False
        self.outbox: BatchedOutbox | None = None
        self.pending: list[Packet] | None = []
        self.pending_bytes = 0
        self.rooms: list[RoomName] = []


class Room:
    """The members of a room.

    `batched` are those whose WebSocket writes in batches, by their outbox; `unbatched` are the
    others, by `sid`: over polling, in threads, or clients of a test.
    """

    __slots__ = ("batched", "unbatched")

    def __init__(self) -> None:
        self.batched: dict[BatchedOutbox, Member] = {}
        self.unbatched: dict[str, Member] = {}

    def members(self) -> list[Member]:
        return [*self.batched.values(), *self.unbatched.values()]


class NamespaceState:
    """The members of a namespace, by both their ids, and its rooms.

    `connecting` are the members whose CONNECT packet has not been answered. They know their rooms,
    but are in no `Room` yet.
    """

    __slots__ = ("by_eio_sid", "connecting", "members", "rooms")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.by_eio_sid: dict[str, Member] = {}
        self.connecting: dict[str, Member] = {}
        self.rooms: dict[RoomName, Room] = {}

    def connecting_in(self, room: RoomName) -> list[Member]:
        return [member for member in list(self.connecting.values()) if room in member.rooms]

    def members_of(self, room: RoomName) -> list[Member]:
        """Return the members of a room; a client's `sid` is the name of its own room."""
        if room is not None and room in self.members:
            return [self.members[room]]
        connecting = self.connecting_in(room)  # first, as in threads one may enter its rooms now
        return connecting + (self.rooms[room].members() if room in self.rooms else [])
