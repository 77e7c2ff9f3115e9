"""Packets of Socket.IO 5, decoded strictly and within bounds.

A malformed packet raises MalformedPacket, and its session ends (the reference's "parse error").
"""

from __future__ import annotations

import re
from typing import Any

from socketio import packet as socketio_packet

from chatapp.transport.eio.packet import JSON
from chatapp.transport.errors import MalformedPacket

MAX_ATTACHMENTS = 10
"""Binary attachments of one packet (socket.io-parser's default)."""

RESERVED_EVENTS = frozenset(
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
)
"""Names of events that no client may send (socket.io-parser, RESERVED_EVENTS)."""

HEAD = re.compile(r"([0-6])(?:([0-9]{1,9})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{1,100})?", re.ASCII)
"""A packet's type, number of attachments, namespace and number; its data follows."""
_BINARY = (socketio_packet.BINARY_EVENT, socketio_packet.BINARY_ACK)


def contains_bytes(value: Any) -> bool:
    """Return whether `value` is binary or holds binary in its lists and dicts, however deep."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)
        elif isinstance(current, (bytes, bytearray)):
            return True
    return False


class Packet(socketio_packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet (protocol 5, "Packet encoding"), decoded strictly."""

    json = JSON
    data_is_binary = staticmethod(contains_bytes)
    """python-socketio's name."""

    def decode(self, encoded_packet: Any) -> int:
        """Decode `encoded_packet`, and return how many binary attachments follow it.

        Raises:
            MalformedPacket: it isn't a packet that a client may send.
        """
        head = HEAD.match(encoded_packet) if isinstance(encoded_packet, str) else None
        if not head:
            raise MalformedPacket("no Socket.IO packet")
        kind, attachments, namespace, number = head.groups()
        rest = encoded_packet[head.end() :]
        self.packet_type = int(kind)
        self.namespace = namespace
        self.id = int(number) if number else None
        self.data = self.json.loads(rest) if rest else None
        if (attachments is not None) != (self.packet_type in _BINARY):
            raise MalformedPacket("attachments where there are none")
        if attachments and int(attachments) > MAX_ATTACHMENTS:
            raise MalformedPacket("too many attachments")
        if not self._has_valid_data():
            raise MalformedPacket("not the data of its type")
        return int(attachments or 0)

    def _has_valid_data(self) -> bool:
        if self.packet_type == socketio_packet.CONNECT:
            return self.data is None or isinstance(self.data, dict)
        if self.packet_type == socketio_packet.DISCONNECT:
            return self.data is None
        if self.packet_type in (socketio_packet.ACK, socketio_packet.BINARY_ACK):
            return isinstance(self.data, list)
        if self.packet_type in (socketio_packet.EVENT, socketio_packet.BINARY_EVENT):
            return isinstance(self.data, list) and bool(self.data) and _is_name(self.data[0])
        return False  # CONNECT_ERROR is the server's alone

    def add_attachment(self, attachment: bytes) -> bool:
        """Take a binary attachment, and return whether all have come.

        Raises:
            MalformedPacket: a placeholder names no attachment.
        """
        try:
            complete: bool = super().add_attachment(attachment)
        except (LookupError, RecursionError, TypeError, ValueError):
            raise MalformedPacket("no such attachment") from None
        return complete


def _is_name(value: Any) -> bool:
    """Return whether it may be an event's name: a string, or as in the reference a number."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
