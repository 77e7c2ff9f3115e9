"""A Socket.IO client manager: who is in which room, and how all of them hear an event at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any

from engineio import packet as engineio_packet
from engineio.packet import Packet
from socketio import packet as socketio_packet
from socketio.manager import Manager

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import encoded_frame
from chatapp.transport.loop.batching import Hearer
from chatapp.transport.sio import protocol4

Name = str | None
"""A room's name. None is the room of all who are in the namespace, as python-socketio has it."""


class Member:
    """A client in a namespace. `eio_sid` is its connection, `sid` itself (protocol 5, "sid")."""

    __slots__ = ("connected", "eio_sid", "hearer", "pending", "pending_bytes", "rooms", "sid")

    def __init__(self, sid: str, eio_sid: str) -> None:
        self.sid = sid
        self.eio_sid = eio_sid
        self.connected = False
        self.hearer: Hearer | None = None
        self.pending: list[Packet] | None = []
        """Packets that are sent once its CONNECT packet has been answered; None from then on."""
        self.pending_bytes = 0
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
    """The clients in a namespace, by both their names, and its rooms.

    `connecting` are the members whose CONNECT packet has not been answered. They know their rooms,
    but are in no `Room` yet.
    """

    __slots__ = ("by_eio_sid", "connecting", "members", "rooms")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.by_eio_sid: dict[str, Member] = {}
        self.connecting: dict[str, Member] = {}
        self.rooms: dict[Name, Room] = {}

    def connecting_in(self, room: Name) -> list[Member]:
        return [member for member in list(self.connecting.values()) if room in member.rooms]


class Fanout(Manager):  # type: ignore[misc]
    """python-socketio's manager, where leaving costs what the leaver was in.

    An event for a room is encoded once. Those who hear it otherwise than by a WebSocket under
    gevent (long polling, threads, Flask-SocketIO's test client) get it at once, by the server.

    While a `connect` handler runs, what its client is sent in the namespace is kept. The client
    gets it after the answer to its CONNECT packet, or never if the handler refuses it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._namespaces: dict[str, Namespace] = {}
        self.rooms = self._namespaces  # whose keys python-socketio looks at
        self._lock = Lock()  # held while somebody comes or goes

    def set_server(self, server: Any) -> None:
        super().set_server(server)
        self._eio: EngineServer = server.eio
        self._turn = self._eio.runtime.batch

    # Who is there

    def get_namespaces(self) -> list[str]:
        return list(self._namespaces)

    def get_participants(
        self, namespace: str, room: Name | list[Name] | tuple[Name, ...]
    ) -> Iterator[tuple[str, str]]:
        """The `sid` and `eio_sid` of each in `room`, or in any of several."""
        members = self._recipients(namespace, room, [])
        yield from [(member.sid, member.eio_sid) for member in members]

    def has_members(self, namespace: str, room: Name) -> bool:
        here = self._namespaces.get(namespace)
        return here is not None and (room in here.rooms or bool(here.connecting_in(room)))

    def _members_of(self, namespace: str, room: Name) -> list[Member]:
        here = self._namespaces.get(namespace)
        if here is None:
            return []
        if room in here.members:
            return [here.members[room]]
        connecting = here.connecting_in(room)  # first, as in threads one may enter its rooms now
        return connecting + (here.rooms[room].members() if room in here.rooms else [])

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
            here.connecting[member.sid] = member
            self._enter(here, member, None)
        return member.sid

    def _new_sid(self, eio_sid: str, namespace: str) -> str:
        """Return the id of a new member; clients of protocol 4 compute theirs themselves.

        A client that comes back to a namespace gets another id, as an event may still be handled
        under the old one.
        """
        session = self._eio.sockets.get(eio_sid)  # None: a test client's
        if session and session.protocol == protocol4.ENGINE_PROTOCOL:
            ids = session.attachment.ids
            if ids is None:
                ids = session.attachment.ids = set()
            sid = protocol4.socket_id(session.sid, namespace)
            if sid not in ids:
                ids.add(sid)
                return sid
        new_id: str = self._eio.generate_id()
        return new_id

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        member = self._member(sid, namespace)
        return member is not None and not member.connected

    def connect(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        if member is None:  # it's the connection's
            member = self._member(self.pre_connect(sid, namespace) or "", namespace)
        if member:
            self._admit(namespace, member)
            member.connected = True
        return member.sid if member else None

    def _admit(self, namespace: str, member: Member) -> None:
        """Send what was kept for `member`, and put it into its rooms."""
        with self._lock:
            here = self._namespaces.get(namespace)
            if here is None or member.pending is None or member.sid not in here.connecting:
                return
            for packet in member.pending:
                self.server._send_eio_packet(member.eio_sid, packet)
            member.pending = None
            for name in member.rooms:
                self._take_place(here, member, name)
            del here.connecting[member.sid]

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
            here.connecting.pop(sid, None)
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
        if member.pending is None:
            self._take_place(here, member, name)

    def _take_place(self, here: Namespace, member: Member, name: Name) -> None:
        room = here.rooms.setdefault(name, Room())
        room.others[member.sid] = member
        self._find_hearer(room, member)

    def _leave(self, here: Namespace, member: Member, name: Name) -> None:
        if name not in member.rooms:
            return
        member.rooms.remove(name)
        if member.pending is not None:
            return
        room = here.rooms[name]
        room.others.pop(member.sid, None)
        if member.hearer:
            self._turn.catch_up(member.hearer)
            room.hearers.pop(member.hearer, None)
        if not room.hearers and not room.others:
            del here.rooms[name]

    def _find_hearer(self, room: Room, member: Member) -> None:
        """Take `member` out of the others if its connection is a WebSocket, perhaps by now."""
        connection = self._eio.sockets.get(member.eio_sid)
        member.hearer = connection.hearer if connection else None
        if member.hearer:
            self._turn.catch_up(member.hearer)
            room.hearers[member.hearer] = member
            room.others.pop(member.sid, None)

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
        del options  # a room has no members on other servers
        here = self._namespaces.get(namespace)
        if here is None:
            return
        name = to or room
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        if callback:
            for member in self._recipients(namespace, name, skipped):
                number = self._generate_ack_id(member.sid, callback)
                self._send(member, self._encode(event, data, namespace, number))
            return
        packets = self._encode(event, data, namespace)
        several = isinstance(name, (list, tuple))
        if here.connecting and not several:
            skipped = [*skipped, *self._send_to_connecting(here, name, packets, skipped)]
        crowd = None if several else here.rooms.get(name)
        if crowd is None:
            for member in self._recipients(namespace, name, skipped):
                self._send(member, packets)
            return
        if crowd.others and self._turn:
            for member in list(crowd.others.values()):
                self._find_hearer(crowd, member)
        if crowd.others:
            self._send_each(crowd.others.values(), packets, skipped)
        if len(packets) > 1:  # attachments aren't the same bytes in all protocols
            self._send_each(crowd.hearers.values(), packets, skipped)
        elif crowd.hearers:
            frames = b"".join([encoded_frame(packet) for packet in packets])
            apart = [here.members[sid].hearer for sid in skipped if sid in here.members]
            self._turn.say_to_others(crowd.hearers, frames, [hearer for hearer in apart if hearer])

    def _recipients(
        self, namespace: str, room: Name | list[Name] | tuple[Name, ...], skipped: list[str | None]
    ) -> list[Member]:
        several = room if isinstance(room, (list, tuple)) else [room]
        found = {m.sid: m for name in several for m in self._members_of(namespace, name)}
        return [member for member in found.values() if member.sid not in skipped]

    def _send_each(
        self, members: Iterable[Member], packets: list[Packet], skipped: list[str | None]
    ) -> None:
        """Send to members that are in a `Room`."""
        for member in list(members):
            if member.sid not in skipped:
                for packet in packets:
                    self.server._send_eio_packet(member.eio_sid, packet)

    def _send_to_connecting(
        self, here: Namespace, room: Name, packets: list[Packet], skipped: list[str | None]
    ) -> list[str]:
        """Send to the members of `room` that are connecting, and return their `sid`s."""
        members = [member for member in here.connecting_in(room) if member.sid not in skipped]
        for member in members:
            self._send(member, packets)
        return [member.sid for member in members]

    def _send(self, member: Member, packets: list[Packet]) -> None:
        """Send to `member`, once its CONNECT packet has been answered."""
        if member.pending is not None:
            with self._lock:
                if member.pending is not None:  # nothing has changed meanwhile
                    self._keep(member, member.pending, packets)
                    return
        for packet in packets:
            self.server._send_eio_packet(member.eio_sid, packet)

    def _keep(self, member: Member, pending: list[Packet], packets: list[Packet]) -> None:
        """Keep `packets` for later. Over the bound of what may wait, the connection is cut."""
        member.pending_bytes += sum(len(packet.encode(b64=True)) for packet in packets)
        if member.pending_bytes <= self._eio.runtime.limits.outbox_bytes:
            pending += packets
        elif session := self._eio.sockets.get(member.eio_sid):
            session.cut()

    def _encode(
        self, event: str, data: Any, namespace: str, number: int | None = None
    ) -> list[Packet]:
        """The packets of an event, which its hearers share: one, and one for each attachment."""
        arguments = data if isinstance(data, tuple) else () if data is None else (data,)
        packet = self.server.packet_class(
            socketio_packet.EVENT, [event, *arguments], namespace=namespace, id=number
        )
        encoded = packet.encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        return [Packet(engineio_packet.MESSAGE, part) for part in parts]
