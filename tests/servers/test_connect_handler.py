"""What a connect handler emits, over each kind of server and transport.

Reference (socket.io 4.8): Socket._onconnect sends the CONNECT packet before the application hears
of the client.
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
    """A client of either protocol, whatever its transport, that enters the namespace."""

    def __init__(self, server, transport: str) -> None:
        self.older = transport == "websocket of protocol 3"
        self.session = {"polling": Polling, "websocket": RawWebSocket}.get(
            transport, Engine3WebSocket
        )(server)
        self._posting: threading.Thread | None = None
        self._heard: list[str] = []

    def enters(self, **brought: str) -> None:
        """Send CONNECT, without waiting for the end of the handler."""
        if self.older:
            query = "&".join(f"{name}={value}" for name, value in brought.items())
            self.says(f"40{NAME}{'?' if query else ''}{query},")
        else:
            fields = ",".join(f'"{name}":"{value}"' for name, value in brought.items())
            self.says(f"40{NAME},{{{fields}}}")

    def says(self, packet: str) -> None:
        """Send a packet; over polling, in a thread, as the answer comes once it is handled."""
        if isinstance(self.session, Polling):
            if self._posting:
                self._posting.join()
            self._posting = threading.Thread(target=self.session.post, args=[packet])
            self._posting.start()
        else:
            self.session.send(packet)

    def hears(self, count: int) -> list[str]:
        """The next packets without the namespace's name, binary ones as over polling."""
        while len(self._heard) < count:
            if isinstance(self.session, Polling):
                self._heard += self.session.poll()[1].split("\x1e")
            else:
                opcode, data = self.session.receive_frame()
                self._heard.append(data.decode() if opcode == TEXT else "bAAE=")
        heard, self._heard = self._heard[:count], self._heard[count:]
        return [packet.replace(f"{NAME},", "") for packet in heard]

    def hears_connect_first(self, more: int = 0) -> list[str]:
        """The events after the answer to CONNECT: those of the handler, and some more."""
        answer, *events = self.hears(1 + len(OWN) + more)
        assert answer == "40" if self.older else answer.startswith('40{"sid":')
        return events

    def leaves(self) -> None:
        if not isinstance(self.session, Polling):
            self.session.close()


ROOMS = ['42["room","here"]', '451-["rooms",{"_placeholder":true,"num":0}]', "bAAE=", '42["all"]']
OWN = ['42["own",1]', '421["own",2]', *ROOMS]
"""What a client hears of its own connect handler, after the answer to CONNECT."""


@pytest.fixture(params=KINDS)
def server(request, serve):
    return serve(request.param, module="support.apps.namespaces", **UNLIMITED)


@pytest.fixture(params=["websocket", "polling", "websocket of protocol 3"])
def client(request, server):
    client = Client(server, request.param)
    yield client
    client.leaves()


@pytest.fixture
def member(server):
    """A client that is in the namespace already."""
    member = Client(server, "websocket")
    member.enters()
    member.hears_connect_first()
    yield member
    member.leaves()


def test_events_of_connect_handler_follow_connect_packet(client, member):
    client.enters()
    assert client.hears_connect_first() == OWN
    assert member.hears(len(ROOMS) + 1) == [*ROOMS, '42["others"]']


def test_acknowledgement_of_event_of_connect_handler_reaches_it(client, member):
    client.enters()
    client.hears_connect_first()
    member.hears(len(ROOMS) + 1)
    client.says(f'43{NAME},1["yes"]')
    assert client.hears(1) == member.hears(1) == ['42["answered","yes"]']


def test_events_of_other_clients_follow_connect_packet(client, member):
    word = uuid.uuid4().hex
    client.enters(wait=word)
    member.says(f'42{NAME},["release","{word}"]')
    late = ['42["late",1]', '42["late",2]']
    assert client.hears_connect_first(more=2) == [*OWN, *late]
    assert member.hears(len(ROOMS) + 3) == [*ROOMS, '42["others"]', *late]


def test_refused_client_receives_no_events(client, member):
    client.enters(refuse="yes")
    assert client.hears(1)[0].startswith("44")
    assert member.hears(len(ROOMS) + 1) == [*ROOMS, '42["others"]']
    client.enters()
    assert client.hears_connect_first() == OWN


def test_failing_connect_handler_leaves_client_unconnected(client, member):
    client.enters(fail="yes")
    assert member.hears(len(ROOMS) + 1) == [*ROOMS, '42["others"]']
    client.enters()
    assert client.hears_connect_first() == OWN
