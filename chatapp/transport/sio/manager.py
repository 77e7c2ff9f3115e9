"""The client manager of our Socket.IO server: it sends an event to all members of a room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engineio import packet as engineio_packet
from engineio.packet import Packet
from socketio import packet as socketio_packet

from chatapp.transport.eio.sender import encoded_frame
from chatapp.transport.sio.members import MemberManager
from chatapp.transport.sio.rooms import Member, NamespaceState, Room, RoomName


class RoomManager(MemberManager):
    """Encodes an event for a room once, and writes it to all WebSockets in one batch.

    Members without a batched WebSocket (long polling, threads, Flask-SocketIO's test client) are
    sent it at once, by the server.

    While a `connect` handler runs, the packets to its client in the namespace are kept. The client
    gets them after the answer to its CONNECT packet, or never if the handler refuses it.
    """

    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: RoomName = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: RoomName = None,
        **options: Any,
    ) -> None:
        """Send `event` to the members of a room; a tuple `data` has its arguments."""
        del options  # a room has no members on other servers
        state = self._namespaces.get(namespace)
        if state is None:
            return
        name = to or room
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        if callback:
            self._ask(event, data, namespace, self._recipients(namespace, name, skipped), callback)
            return
        packets = self._encode(event, data, namespace)
        several = isinstance(name, (list, tuple))
        if state.connecting and not several:
            skipped = [*skipped, *self._send_to_connecting(state, name, packets, skipped)]
        members = None if several else state.rooms.get(name)
        if members is None:
            for member in self._recipients(namespace, name, skipped):
                self._send(member, packets)
            return
        if members.unbatched:
            self._send_to_unbatched(members, packets, skipped)
        if len(packets) > 1:  # attachments aren't the same bytes in all protocols
            self._send_each(members.batched.values(), packets, skipped)
        elif members.batched:
            frame = encoded_frame(packets[0])
            outboxes = [state.members[sid].outbox for sid in skipped if sid in state.members]
            others = [outbox for outbox in outboxes if outbox]
            self._batch.broadcast_except(members.batched, frame, others)

    def _ask(
        self, event: str, data: Any, namespace: str, members: list[Member], callback: Any
    ) -> None:
        """Send an event to each of `members`, whose acknowledgements go to `callback`."""
        for member in members:
            number = self._generate_ack_id(member.sid, callback)
            self._send(member, self._encode(event, data, namespace, number))

    def _send_to_unbatched(
        self, room: Room, packets: list[Packet], skipped: list[str | None]
    ) -> None:
        """Send to the unbatched members, once those that have upgraded are moved."""
        if self._batch:
            for member in list(room.unbatched.values()):
                self._find_outbox(room, member)
        self._send_each(room.unbatched.values(), packets, skipped)

    def _send_each(
        self, members: Iterable[Member], packets: list[Packet], skipped: list[str | None]
    ) -> None:
        """Send to members that are in a `Room`."""
        for member in list(members):
            if member.sid not in skipped:
                for packet in packets:
                    self.server._send_eio_packet(member.eio_sid, packet)

    def _send_to_connecting(
        self,
        state: NamespaceState,
        room: RoomName,
        packets: list[Packet],
        skipped: list[str | None],
    ) -> list[str]:
        """Send to the members of `room` that are connecting, and return their `sid`s."""
        members = [member for member in state.connecting_in(room) if member.sid not in skipped]
        for member in members:
            self._send(member, packets)
        return [member.sid for member in members]

    def _send(self, member: Member, packets: list[Packet]) -> None:
        """Send to `member`, once its CONNECT packet has been answered."""
        if member.pending is not None:
            with self._lock:
                if member.pending is not None:  # still so under the lock
                    self._keep(member, member.pending, packets)
                    return
        for packet in packets:
            self.server._send_eio_packet(member.eio_sid, packet)

    def _keep(self, member: Member, pending: list[Packet], packets: list[Packet]) -> None:
        """Keep `packets` for later. Over the bound of an outbox, the session is cut."""
        member.pending_bytes += sum(len(packet.encode(b64=True)) for packet in packets)
        if member.pending_bytes <= self._eio.runtime.limits.outbox_bytes:
            pending += packets
        elif session := self._eio.sockets.get(member.eio_sid):
            session.cut()

    def _encode(
        self, event: str, data: Any, namespace: str, number: int | None = None
    ) -> list[Packet]:
        """Return the packets of an event, for all its recipients: one, and one an attachment."""
        arguments = data if isinstance(data, tuple) else () if data is None else (data,)
        packet = self.server.packet_class(
            socketio_packet.EVENT, [event, *arguments], namespace=namespace, id=number
        )
        encoded = packet.encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        return [Packet(engineio_packet.MESSAGE, part) for part in parts]
