"""A Socket.IO client manager: who is in which room, and how all of them hear an event at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any

from engineio import packet as engineio_packet
from socketio import packet as socketio_packet
from socketio.manager import Manager

from chatapp.transport.eio.session import encoded_frame
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


class Fanout(Manager):  # type: ignore[misc]
    """python-socketio's manager, where leaving costs what the leaver was in.

    An event for a room is encoded once. Those who hear it otherwise than by a WebSocket under
    gevent (long polling, threads, Flask-SocketIO's test client) get it at once, by the server.
    """

    def __init__(self) -> None:
        super().__init__()
        self._namespaces: dict[str, Namespace] = {}
        self.rooms = self._namespaces  # whose keys python-socketio looks at
        self._lock = Lock()  # held while somebody comes or goes

    # Who is there

    def get_namespaces(self) -> list[str]:
        return list(self._namespaces)

    def get_participants(
        self, namespace: str, room: Name | list[Name] | tuple[Name, ...]
    ) -> Iterator[tuple[str, str]]:
        """The `sid` and `eio_sid` of each in `room`, or in any of several."""
        several = room if isinstance(room, list | tuple) else [room]
        found = {m.sid: m.eio_sid for name in several for m in self._members_of(namespace, name)}
        yield from found.items()

    def has_members(self, namespace: str, room: Name) -> bool:
        here = self._namespaces.get(namespace)
        return here is not None and room in here.rooms

    def _members_of(self, namespace: str, room: Name) -> list[Member]:
        here = self._namespaces.get(namespace)
        if here is None:
            return []
        if room in here.members:
            return [here.members[room]]
        return here.rooms[room].members() if room in here.rooms else []

    def _member(self, sid: str, namespace: str) -> Member | None:
        here = self._namespaces.get(namespace)
        return here.members.get(sid) if here else None

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        here = self._namespaces.get(namespace)
        member = here.by_eio_sid.get(eio_sid) if here else None
        return member.sid if member else None

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        return member.eio_sid if member else None

    def is_sid_room(self, namespace: str, room: Name) -> bool:
        return room is not None and self._member(room, namespace) is not None

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        member = self._member(sid, namespace)
        return [sid, *(name for name in member.rooms if name is not None)] if member else []

    # Coming and going

    def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        with self._lock:
            here = self._namespaces.setdefault(namespace, Namespace())
            if eio_sid in here.by_eio_sid:
                return None
            member = Member(self._new_sid(eio_sid, namespace), eio_sid)
            here.members[member.sid] = here.by_eio_sid[eio_sid] = member
            self._enter(here, member, None)
        return member.sid

    def _new_sid(self, eio_sid: str, namespace: str) -> str:
        connection = self.server.eio.sockets.get(eio_sid)  # None: a test client's
        sid: str = connection.sid_in(namespace) if connection else self.server.eio.generate_id()
        return sid

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        member = self._member(sid, namespace)
        return member is not None and not member.connected

    def connect(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        if member is None:  # it's the connection's
            member = self._member(self.pre_connect(sid, namespace) or "", namespace)
        if member:
            member.connected = True
        return member.sid if member else None

    def is_connected(self, sid: str, namespace: str) -> bool:
        member = self._member(sid, namespace)
        return member is not None and member.connected

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        if member:
            member.connected = False
        return member.eio_sid if member else None

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        with self._lock:
            here = self._namespaces.get(namespace)
            member = here.members.pop(sid, None) if here else None
            if here is None or member is None:
                return
            del here.by_eio_sid[member.eio_sid]
            for name in list(member.rooms):
                self._leave(here, member, name)
            self.callbacks.pop(sid, None)
            if not here.members:
                del self._namespaces[namespace]

    def basic_enter_room(
        self, sid: str, namespace: str, room: Name, eio_sid: str | None = None
    ) -> None:
        """Have a client enter a room.

        Raises:
            ValueError: it isn't in the namespace, or the room is another client's own.
        """
        del eio_sid  # known
        with self._lock:
            here = self._namespaces.get(namespace)
            if here is None or sid not in here.members:
                raise ValueError("sid is not connected to requested namespace")
            if room == sid:
                return
            if room in here.members:
                raise ValueError("cannot enter a sid room")
            self._enter(here, here.members[sid], room)

    def basic_leave_room(self, sid: str, namespace: str, room: Name) -> None:
        with self._lock:
            here = self._namespaces.get(namespace)
            if here and sid in here.members:
                self._leave(here, here.members[sid], room)

    def _enter(self, here: Namespace, member: Member, name: Name) -> None:
        if name in member.rooms:
            return
        member.rooms.append(name)
        room = here.rooms.setdefault(name, Room())
        room.others[member.sid] = member
        self._find_hearer(room, member)

    def _leave(self, here: Namespace, member: Member, name: Name) -> None:
        if name not in member.rooms:
            return
        member.rooms.remove(name)
        room = here.rooms[name]
        room.others.pop(member.sid, None)
        if member.hearer:
            self._turn.catch_up(member.hearer)
            room.hearers.pop(member.hearer, None)
        if not room.hearers and not room.others:
            del here.rooms[name]

    def _find_hearer(self, room: Room, member: Member) -> None:
        """Take `member` out of the others if its connection is a WebSocket, perhaps by now."""
        connection = self.server.eio.sockets.get(member.eio_sid)
        member.hearer = connection.hearer if connection else None
        if member.hearer:
            self._turn.catch_up(member.hearer)
            room.hearers[member.hearer] = member
            room.others.pop(member.sid, None)

    @property
    def _turn(self) -> Any:
        return self.server.eio.turn

    # What they hear

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Name = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Name = None,
        **options: Any,
    ) -> None:
        """Have everyone in a room hear `event`, whose arguments are those of the tuple `data`."""
        name = to or room
        here = self._namespaces.get(namespace)
        crowd = here.rooms.get(name) if here and not isinstance(name, (list, tuple)) else None
        if crowd and crowd.others and self._turn:
            for member in list(crowd.others.values()):
                self._find_hearer(crowd, member)
        if here is None or crowd is None or callback or not crowd.hearers:
            super().emit(event, data, namespace, name, skip_sid, callback, **options)
            return
        packets = self._encode(event, data, namespace)
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        if crowd.others:
            self._send_each(crowd.others.values(), packets, skipped)
        if len(packets) > 1:  # attachments aren't the same bytes in all protocols
            self._send_each(crowd.hearers.values(), packets, skipped)
            return
        frames = b"".join([encoded_frame(packet) for packet in packets])
        apart = [here.members[sid].hearer for sid in skipped if sid in here.members]
        self._turn.say_to_others(crowd.hearers, frames, [hearer for hearer in apart if hearer])

    def _send_each(
        self,
        members: Iterable[Member],
        packets: list[engineio_packet.Packet],
        skipped: list[str | None],
    ) -> None:
        for member in list(members):
            if member.sid not in skipped:
                for packet in packets:
                    self.server._send_eio_packet(member.eio_sid, packet)

    def _encode(self, event: str, data: Any, namespace: str) -> list[engineio_packet.Packet]:
        """The packets of an event, which its hearers share: one, and one for each attachment."""
        arguments = data if isinstance(data, tuple) else () if data is None else (data,)
        packet = self.server.packet_class(
            socketio_packet.EVENT, [event, *arguments], namespace=namespace
        )
        encoded = packet.encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        return [engineio_packet.Packet(engineio_packet.MESSAGE, part) for part in parts]
