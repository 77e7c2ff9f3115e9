"""Packets of Socket.IO 5, decoded strictly and within bounds.

What is malformed raises MalformedPacket; whose packet it was ends (the reference server's
"parse error").
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
"""What no client may send as an event (socket.io-parser, RESERVED_EVENTS)."""

HEAD = re.compile(r"([0-6])(?:([0-9]{1,9})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{1,100})?", re.ASCII)
"""A packet's type, its number of attachments, its namespace and its number; then comes its data."""
_BINARY = (socketio_packet.BINARY_EVENT, socketio_packet.BINARY_ACK)


def _is_name(value: Any) -> bool:
    """Whether it may be an event's name: a string, or as in the reference server a number."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


class Packet(socketio_packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet (protocol 5, "Packet encoding"), decoded strictly."""

    json = JSON

    @classmethod
    def data_is_binary(cls, data: Any) -> bool:
        """Whether there are bytes anywhere in `data`."""
        left = [data]
        for value in left:
            if isinstance(value, dict):
                left += value.values()
            elif isinstance(value, list):
                left += value
            elif isinstance(value, (bytes, bytearray)):
                return True
        return False

    def decode(self, encoded_packet: Any) -> int:
        """Take `encoded_packet` apart; how many binary attachments are to follow it.

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
        if not self._has_its_data():
            raise MalformedPacket("not the data of its type")
        return int(attachments or 0)

    def _has_its_data(self) -> bool:
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
        """Take a binary attachment; true once all have come.

        Raises:
            MalformedPacket: a placeholder names none of them.
        """
        try:
            complete: bool = super().add_attachment(attachment)
        except (LookupError, RecursionError, TypeError, ValueError):
            raise MalformedPacket("no such attachment") from None
        return complete
