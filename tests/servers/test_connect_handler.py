"""Events that a connect handler emits, over each transport, under each kind of server.

Raw clients enter the namespace /greeting of support.apps.namespaces. The reference (socket.io 4.8,
Socket._onconnect) sends the CONNECT packet before it calls the handler.
"""

from __future__ import annotations

import threading
import uuid

import pytest
from support.clients import Engine3WebSocket
from support.raw import TEXT, Polling, RawWebSocket
from support.servers import KINDS, UNLIMITED

NAME = "/greeting"


class Client:
    """A raw client of the namespace, with the same methods over each transport and protocol."""

    def __init__(self, server, transport: str) -> None:
        self.is_engine3 = transport == "Engine.IO 3 websocket"
        self.session = {"polling": Polling, "websocket": RawWebSocket}.get(
            transport, Engine3WebSocket
        )(server)
        self._posting: threading.Thread | None = None
        self._received: list[str] = []

    def enter(self, **auth: str) -> None:
        """Send CONNECT without waiting for the handler's end."""
        if self.is_engine3:
            query = "&".join(f"{name}={value}" for name, value in auth.items())
            self.send(f"40{NAME}{'?' if query else ''}{query},")
        else:
            fields = ",".join(f'"{name}":"{value}"' for name, value in auth.items())
            self.send(f"40{NAME},{{{fields}}}")

    def send(self, packet: str) -> None:
        """Send a packet; over polling in a thread, because the response waits for the handler."""
        if isinstance(self.session, Polling):
            if self._posting:
                self._posting.join()
            self._posting = threading.Thread(target=self.session.post, args=[packet])
            self._posting.start()
        else:
            self.session.send(packet)

    def receive(self, count: int) -> list[str]:
        """Receive packets without the namespace's name, and binary ones in base64."""
        while len(self._received) < count:
            if isinstance(self.session, Polling):
                self._received += self.session.poll()[1].split("\x1e")
            else:
                opcode, data = self.session.receive_frame()
                self._received.append(data.decode() if opcode == TEXT else "bAAE=")
        packets, self._received = self._received[:count], self._received[count:]
        return [packet.replace(f"{NAME},", "") for packet in packets]

    def receive_connect_and_events(self, extra: int = 0) -> list[str]:
        """Receive the answer to CONNECT; return the handler's events and `extra` packets."""
        answer, *events = self.receive(1 + len(OWN) + extra)
        assert answer == "40" if self.is_engine3 else answer.startswith('40{"sid":')
        return events

    def close(self) -> None:
        if not isinstance(self.session, Polling):
            self.session.close()


ROOMS = ['42["room","here"]', '451-["rooms",{"_placeholder":true,"num":0}]', "bAAE=", '42["all"]']
OWN = ['42["own",1]', '421["own",2]', *ROOMS]
"""The events that a client receives from its own connect handler."""


@pytest.fixture(params=KINDS)
def server(request, serve):
    return serve(request.param, module="support.apps.namespaces", **UNLIMITED)


@pytest.fixture(params=["websocket", "polling", "Engine.IO 3 websocket"])
def client(request, server):
    client = Client(server, request.param)
    yield client
    client.close()


@pytest.fixture
def member(server):
    """A client that has entered the namespace."""
    member = Client(server, "websocket")
    member.enter()
    member.receive_connect_and_events()
    yield member
    member.close()


def test_events_of_connect_handler_follow_connect_packet(client, member):
    client.enter()
    assert client.receive_connect_and_events() == OWN
    assert member.receive(len(ROOMS) + 1) == [*ROOMS, '42["others"]']


def test_acknowledgement_of_event_of_connect_handler_reaches_it(client, member):
    client.enter()
    client.receive_connect_and_events()
    member.receive(len(ROOMS) + 1)
    client.send(f'43{NAME},1["yes"]')
    assert client.receive(1) == member.receive(1) == ['42["answered","yes"]']


def test_events_of_other_clients_follow_connect_packet(client, member):
    word = uuid.uuid4().hex
    client.enter(wait=word)
    member.send(f'42{NAME},["release","{word}"]')
    late = ['42["late",1]', '42["late",2]']
    assert client.receive_connect_and_events(extra=2) == [*OWN, *late]
    assert member.receive(len(ROOMS) + 3) == [*ROOMS, '42["others"]', *late]


def test_refused_client_receives_no_events(client, member):
    client.enter(refuse="yes")
    assert client.receive(1)[0].startswith("44")
    assert member.receive(len(ROOMS) + 1) == [*ROOMS, '42["others"]']
    client.enter()
    assert client.receive_connect_and_events() == OWN


def test_failing_connect_handler_leaves_client_unconnected(client, member):
    client.enter(fail="yes")
    assert member.receive(len(ROOMS) + 1) == [*ROOMS, '42["others"]']
    client.enter()
    assert client.receive_connect_and_events() == OWN
