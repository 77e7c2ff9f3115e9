"""Who is in a namespace, and in which of its rooms."""

from __future__ import annotations

from chatapp.transport.loop.batching import Hearer

Name = str | None
"""A room's name. None is the room of all who are in the namespace, as python-socketio has it."""


class Member:
    """A client in a namespace. `eio_sid` is its connection, `sid` itself (protocol 5, "sid")."""

    __slots__ = ("connected", "eio_sid", "hearer", "rooms", "sid")

    def __init__(self, sid: str, eio_sid: str) -> None:
        self.sid = sid
        self.eio_sid = eio_sid
        self.connected = False
        self.hearer: Hearer | None = None
        self.rooms: list[Name] = []


class Room:
    """Those in a room: over WebSockets whose frames leave at the end of a turn, and otherwise."""

    __slots__ = ("hearers", "others")

    def __init__(self) -> None:
        self.hearers: dict[Hearer, Member] = {}
        self.others: dict[str, Member] = {}

    def members(self) -> list[Member]:
        return [*self.hearers.values(), *self.others.values()]


class Namespace:
    """The clients in a namespace, by both their names, and its rooms."""

    __slots__ = ("by_eio_sid", "members", "rooms")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.by_eio_sid: dict[str, Member] = {}
        self.rooms: dict[Name, Room] = {}
