"""The membership half of the client manager: who is in which namespace and room."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any

from socketio.manager import Manager

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.sio import protocol4
from chatapp.transport.sio.rooms import Member, NamespaceState, Room, RoomName


class MemberManager(Manager):  # type: ignore[misc]
    """python-socketio's manager, where leaving costs only what the leaver's rooms cost.

    Methods without a docstring are python-socketio's, and do the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self._namespaces: dict[str, NamespaceState] = {}
        self.rooms = self._namespaces  # python-socketio reads its keys
        self._lock = Lock()  # held while a member enters or leaves anything

    def set_server(self, server: Any) -> None:
        super().set_server(server)
        self._eio: EngineServer = server.eio
        self._batch: Any = self._eio.runtime.batch

    # Queries

    def get_namespaces(self) -> list[str]:
        return list(self._namespaces)

    def get_participants(
        self, namespace: str, room: RoomName | list[RoomName] | tuple[RoomName, ...]
    ) -> Iterator[tuple[str, str]]:
        """Yield the `sid` and `eio_sid` of each member of a room, or of any of several rooms."""
        yield from [(member.sid, member.eio_sid) for member in self._recipients(namespace, room)]

    def _recipients(
        self,
        namespace: str,
        room: RoomName | list[RoomName] | tuple[RoomName, ...],
        skipped: list[str | None] | tuple[()] = (),
    ) -> list[Member]:
        """Return the members of a room or of several, each of them once."""
        state = self._namespaces.get(namespace)
        if state is None:
            return []
        rooms = room if isinstance(room, (list, tuple)) else [room]
        found = {member.sid: member for name in rooms for member in state.members_of(name)}
        return [member for member in found.values() if member.sid not in skipped]

    def has_members(self, namespace: str, room: RoomName) -> bool:
        """Return whether a client is in `room`, also one whose `connect` handler still runs."""
        state = self._namespaces.get(namespace)
        return state is not None and (room in state.rooms or bool(state.connecting_in(room)))

    def _member(self, sid: str, namespace: str) -> Member | None:
        state = self._namespaces.get(namespace)
        return state.members.get(sid) if state else None

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        state = self._namespaces.get(namespace)
        member = state.by_eio_sid.get(eio_sid) if state else None
        return member.sid if member else None

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        return member.eio_sid if member else None

    def is_sid_room(self, namespace: str, room: RoomName) -> bool:
        return room is not None and self._member(room, namespace) is not None

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        member = self._member(sid, namespace)
        return [sid, *(name for name in member.rooms if name is not None)] if member else []

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        member = self._member(sid, namespace)
        return member is not None and not member.connected

    def is_connected(self, sid: str, namespace: str) -> bool:
        member = self._member(sid, namespace)
        return member is not None and member.connected

    # Entering and leaving a namespace

    def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        with self._lock:
            state = self._namespaces.setdefault(namespace, NamespaceState())
            if eio_sid in state.by_eio_sid:
                return None
            member = Member(self._new_sid(eio_sid, namespace), eio_sid)
            state.members[member.sid] = state.by_eio_sid[eio_sid] = member
            state.connecting[member.sid] = member
            self._enter(state, member, None)
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

    def connect(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        if member is None:  # python-socketio lets a caller pass the session's id instead
            member = self._member(self.pre_connect(sid, namespace) or "", namespace)
        if member:
            self._admit(namespace, member)
            member.connected = True
        return member.sid if member else None

    def _admit(self, namespace: str, member: Member) -> None:
        """Send the packets that were kept for `member`, and put it into its rooms."""
        with self._lock:
            state = self._namespaces.get(namespace)
            if state is None or member.pending is None or member.sid not in state.connecting:
                return
            for packet in member.pending:
                self.server._send_eio_packet(member.eio_sid, packet)
            member.pending = None
            for name in member.rooms:
                self._add_to_room(state, member, name)
            del state.connecting[member.sid]

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        member = self._member(sid, namespace)
        if member:
            member.connected = False
        return member.eio_sid if member else None

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        with self._lock:
            state = self._namespaces.get(namespace)
            member = state.members.pop(sid, None) if state else None
            if state is None or member is None:
                return
            del state.by_eio_sid[member.eio_sid]
            state.connecting.pop(sid, None)
            for name in list(member.rooms):
                self._leave(state, member, name)
            self.callbacks.pop(sid, None)
            if not state.members:
                del self._namespaces[namespace]

    # Entering and leaving a room

    def basic_enter_room(
        self, sid: str, namespace: str, room: RoomName, eio_sid: str | None = None
    ) -> None:
        """Put a client into a room.

        Raises:
            ValueError: it isn't in the namespace, or the room is another client's own.
        """
        del eio_sid  # known
        with self._lock:
            state = self._namespaces.get(namespace)
            if state is None or sid not in state.members:
                raise ValueError("sid is not connected to requested namespace")
            if room == sid:
                return
            if room in state.members:
                raise ValueError("cannot enter a sid room")
            self._enter(state, state.members[sid], room)

    def basic_leave_room(self, sid: str, namespace: str, room: RoomName) -> None:
        with self._lock:
            state = self._namespaces.get(namespace)
            if state and sid in state.members:
                self._leave(state, state.members[sid], room)

    def _enter(self, state: NamespaceState, member: Member, name: RoomName) -> None:
        if name in member.rooms:
            return
        member.rooms.append(name)
        if member.pending is None:
            self._add_to_room(state, member, name)

    def _add_to_room(self, state: NamespaceState, member: Member, name: RoomName) -> None:
        room = state.rooms.setdefault(name, Room())
        room.unbatched[member.sid] = member
        self._find_outbox(room, member)

    def _find_outbox(self, room: Room, member: Member) -> None:
        """Move `member` to the batched members if its session has a WebSocket by now."""
        session = self._eio.sockets.get(member.eio_sid)
        member.outbox = session.outbox if session else None
        if member.outbox:
            self._batch.catch_up(member.outbox)
            room.batched[member.outbox] = member
            room.unbatched.pop(member.sid, None)

    def _leave(self, state: NamespaceState, member: Member, name: RoomName) -> None:
        if name not in member.rooms:
            return
        member.rooms.remove(name)
        if member.pending is not None:
            return
        room = state.rooms[name]
        room.unbatched.pop(member.sid, None)
        if member.outbox:
            self._batch.catch_up(member.outbox)
            room.batched.pop(member.outbox, None)
        if not room.batched and not room.unbatched:
            del state.rooms[name]
