"""Socket.IO 4, the protocol of socket.io 2: what it differs in from Socket.IO 5.

Its clients speak Engine.IO 3. Sections are those of the protocol's document
(socketio/socket.io-protocol, v4). Where it is silent, socket.io 4 with `allowEIO3` decides.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from socketio import packet as socketio_packet

from chatapp.transport.errors import MalformedPacket
from chatapp.transport.sio.packet import Packet

ENGINE_PROTOCOL = "3"
CONNECT = "0"
"""The packet that these clients never send, as the default namespace needs none."""
UNKNOWN_NAMESPACE = {"message": "Invalid namespace"}


def socket_id(session_id: str, namespace: str) -> str:
    """Return a client's id in a namespace, as the client computes it itself."""
    return session_id if namespace == "/" else f"{namespace}#{session_id}"


def without_query(namespace: str) -> str:
    """Return the name of a namespace, which may have a query."""
    return namespace.partition("?")[0]


def take_query(packet: Packet) -> None:
    """Remove the query from a packet's namespace; a CONNECT has it as data ("CONNECT").

    Raises:
        MalformedPacket: a CONNECT has a number or data as well.
    """
    packet.namespace, _, query = packet.namespace.partition("?")
    if packet.packet_type == socketio_packet.CONNECT:
        if packet.id is not None or packet.data is not None:
            raise MalformedPacket("a CONNECT with a query and more")
        packet.data = dict(parse_qsl(query, keep_blank_values=True))


def connect_answer(packet: Packet) -> Packet:
    """Return the answer to a CONNECT in the form of this protocol.

    CONNECT has no data, as some clients take it for a broken packet. ERROR has raw data, or else
    the message ("ERROR"). The reference server refuses an unknown namespace in the newer form.
    """
    data = None
    if packet.packet_type == socketio_packet.CONNECT_ERROR:
        data = packet.data
        if isinstance(data, dict) and data != UNKNOWN_NAMESPACE:
            data = data.get("data") or data.get("message")
    return Packet(packet.packet_type, data, namespace=packet.namespace)
