"""Socket.IO 4 without sockets: what its clients send, and how they are answered.

Sections are those of the protocol's document (socketio/socket.io-protocol, v4).
"""

from __future__ import annotations

import pytest
from flask import Flask
from flask_socketio import Namespace
from socketio import packet as socketio_packet
from support.clock import FakeTime

from chatapp.transport.eio import eio3
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.sio import protocol4
from chatapp.transport.sio.packet import Packet
from chatapp.transport.sio.server import SocketIO

CONNECT, ERROR = socketio_packet.CONNECT, socketio_packet.CONNECT_ERROR


@pytest.mark.parametrize(
    ("packet", "newer"),
    [
        ("0/custom?", "0/custom,{}"),
        ("0/custom?a=1&b=%2C+%C3%A9,", '0/custom,{"a":"1","b":", é"}'),
        ("0/custom?a=1&a=2&c", '0/custom,{"a":"2","c":""}'),
        ("0/custom?a=b?c", '0/custom,{"a":"b?c"}'),
        ("0/?a=1", '0/,{"a":"1"}'),
        ('2/custom?a=1,7["a"]', '2/custom,7["a"]'),
        ('51-/custom?a=1,["a"]', '51-/custom,["a"]'),
        ("1/custom?a=1", "1/custom"),
        ("1/custom?a=1,", "1/custom,"),
    ],
)
def test_query_of_namespace_is_removed_and_becomes_data_of_connect(packet, newer):
    """CONNECT: the path is the name; the query is what Socket.IO 5 sends as data."""
    taken = Packet(encoded_packet=packet)
    protocol4.take_query(taken)
    assert vars(taken) == vars(Packet(encoded_packet=newer))


@pytest.mark.parametrize("packet", ["0/custom?a=1,{}", "0/custom?a=1,7"])
def test_connect_with_query_and_more_is_malformed(packet):
    taken = Packet(encoded_packet=packet)
    with pytest.raises(MalformedPacket):
        protocol4.take_query(taken)


@pytest.mark.parametrize(
    ("kind", "namespace", "data", "encoded"),
    [
        (CONNECT, "/", {"sid": "x"}, "0"),
        (CONNECT, "/custom", {"sid": "x"}, "0/custom,"),
        (ERROR, "/", {"message": "no"}, '4"no"'),
        (ERROR, "/custom", {"message": "no", "data": {"a": [1]}}, '4/custom,{"a":[1]}'),
        (ERROR, "/custom", {"message": "no", "data": ""}, '4/custom,"no"'),
        (ERROR, "/x", {"message": "Invalid namespace"}, '4/x,{"message":"Invalid namespace"}'),
        (ERROR, "/", "Unable to connect", '4"Unable to connect"'),
    ],
)
def test_connect_is_answered_without_data_and_error_with_raw_data(kind, namespace, data, encoded):
    """CONNECT, ERROR; reference: an unknown namespace is refused in the form of Socket.IO 5."""
    packet = Packet(kind, data, namespace=namespace)
    assert protocol4.connect_answer(packet).encode() == encoded


class Visit:
    """A session of protocol 3 at a server with the namespaces `/` and `/custom`."""

    def __init__(self) -> None:
        socketio = SocketIO(Flask(__name__))
        for name in ("/", "/custom"):
            socketio.on_namespace(Namespace(name))
        self.server = socketio.server
        eio = self.server.eio
        eio.runtime.clock = FakeTime().clock
        eio.limiter.enter("127.0.0.1")
        self.session = eio.sockets["sid"] = eio3.EIO3Session(eio.runtime, eio, "sid", "127.0.0.1")
        self.server._handle_eio_connect("sid", {})

    def id_in(self, namespace: str) -> str:
        return self.server.manager.sid_from_eio_sid("sid", namespace)

    def sent(self) -> list[str]:
        return [packet.encode() for packet in self.session.take()]


def test_client_is_in_default_namespace_unasked():
    visit = Visit()
    assert visit.id_in("/") == "sid"
    assert visit.sent() == ["40"]


def test_id_in_another_namespace_begins_with_its_name():
    """Socket.id of the client: the Engine.IO sid after the namespace's name."""
    visit = Visit()
    visit.session.received("40/custom?a=1")
    assert visit.id_in("/custom") == "/custom#sid"
    assert visit.sent() == ["40", "40/custom,"]


def test_client_that_comes_back_to_a_namespace_has_another_id():
    visit = Visit()
    ids = {visit.id_in("/")}
    for _ in range(9):
        visit.session.received("41")
        visit.session.received("40")
        ids.add(visit.id_in("/"))
    assert len(ids) == 10


def test_acknowledgement_that_nobody_awaits_is_not_parsed():
    visit = Visit()
    visit.session.received("40/custom")
    visit.session.received("43/custom?a=1,7[broken")
    visit.session.received("43/custom,7[broken")
    assert not visit.session.closed


def test_query_in_namespace_is_part_of_its_name_in_protocol_5():
    packet = Packet(encoded_packet="0/custom?a=1")
    assert packet.namespace == "/custom?a=1"
