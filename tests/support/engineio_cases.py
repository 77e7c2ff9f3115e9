"""The test cases that the protocol suites of Engine.IO 4 and Socket.IO 5 share.

Inherit `EngineIOCases` and set `path` to run them on another server.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import ClassVar

import pytest

from support.apps.suites import MAX_PAYLOAD, PING_INTERVAL, PING_TIMEOUT
from support.raw import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    Polling,
    RawWebSocket,
    frame,
    refused_upgrade,
    request,
)
from support.servers import KINDS


class EngineIOCases:
    """Tests of the Engine.IO server at `path`. A subclass defines `path` and `check_messages`."""

    path: ClassVar[str]

    @pytest.fixture(params=KINDS)
    def server(self, request, serve):
        server = serve(request.param, module="support.apps.suites")
        yield server
        assert "Traceback" not in server.log.read_text()

    def check_messages(self, client: RawWebSocket) -> None:
        """Assert that the server still answers messages of an upgraded session."""
        raise NotImplementedError

    # Clients

    def request(self, server, method: str, query: str) -> tuple[int, str]:
        status, _, body = request(server, method, f"{self.path}?{query}")
        return status, body

    def connect_polling(self, server) -> Polling:
        """Open a session over polling."""
        return Polling(server, connect=False, base=f"{self.path}?EIO=4&transport=polling")

    def connect_websocket(self, server, session: Polling | None = None) -> RawWebSocket:
        """Open a WebSocket for `session`, or with a new session."""
        sid = f"&sid={session.open_packet['sid']}" if session else ""
        path = f"{self.path}?EIO=4&transport=websocket{sid}"
        client = RawWebSocket(server, connect=False, path=path)
        if session is None:
            client.open_packet = json.loads(client.receive_text().removeprefix("0"))
        return client

    def upgrade(self, server, session: Polling) -> RawWebSocket:
        """Upgrade `session` to a WebSocket."""
        client = self.connect_websocket(server, session)
        client.send("2probe")
        assert client.receive_text() == "3probe"
        client.send("5")
        client.send_raw(frame(b"", PING))
        while (got := client.receive_frame()) != (
            PONG,
            b"",
        ):  # the packets before it are handled by then
            assert got == (TEXT, b"2")
            client.send("3")
        return client

    def start_poll(self, session: Polling) -> socket.socket:
        """Send a poll and return its connection once the server has read the request."""
        link = socket.create_connection(("127.0.0.1", session.server.port), timeout=15)
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        # The server reads requests in order: once it has answered this one, it has read the poll.
        assert request(session.server, "GET", "/healthz")[0] == 200
        return link

    # Handshake

    def check_open_packet(self, packet: dict, upgrades: list[str]) -> None:
        assert isinstance(packet.pop("sid"), str)
        assert packet == {
            "upgrades": upgrades,
            "pingInterval": PING_INTERVAL * 1000,
            "pingTimeout": PING_TIMEOUT * 1000,
            "maxPayload": MAX_PAYLOAD,
        }

    def test_handshake_over_polling_opens_a_session(self, server):
        status, body = self.request(server, "GET", "EIO=4&transport=polling")
        assert (status, body[0]) == (200, "0")
        self.check_open_packet(json.loads(body[1:]), ["websocket"])

    def test_handshake_over_polling_with_an_invalid_protocol_fails(self, server):
        for query in ("transport=polling", "EIO=abc&transport=polling"):
            assert self.request(server, "GET", query)[0] == 400

    def test_handshake_over_polling_with_an_invalid_transport_fails(self, server):
        for query in ("EIO=4", "EIO=4&transport=abc"):
            assert self.request(server, "GET", query)[0] == 400

    def test_handshake_over_polling_with_an_invalid_method_fails(self, server):
        for method in ("POST", "PUT"):
            assert self.request(server, method, "EIO=4&transport=polling")[0] == 400

    def test_handshake_over_websocket_opens_a_session(self, server):
        client = self.connect_websocket(server)
        self.check_open_packet(client.open_packet, [])
        client.close()

    def test_handshake_over_websocket_with_an_invalid_protocol_fails(self, server):
        for query in ("transport=websocket", "EIO=abc&transport=websocket"):
            assert refused_upgrade(server, f"{self.path}?{query}")[0] == 400

    def test_handshake_over_websocket_with_an_invalid_transport_fails(self, server):
        for query in ("EIO=4", "EIO=4&transport=abc"):
            assert refused_upgrade(server, f"{self.path}?{query}")[0] == 400

    # Heartbeat

    def test_pings_over_polling_are_answered_by_pongs(self, server):
        session = self.connect_polling(server)
        for _ in range(3):
            assert session.poll() == (200, "2")
            assert session.post("3")[0] == 200

    def test_session_over_polling_ends_at_the_ping_timeout(self, server):
        session = self.connect_polling(server)
        time.sleep(PING_INTERVAL + PING_TIMEOUT)
        assert session.poll()[0] == 400

    def test_pings_over_websocket_are_answered_by_pongs(self, server):
        client = self.connect_websocket(server)
        for _ in range(3):
            assert client.receive_frame() == (TEXT, b"2")
            client.send("3")
        client.close()

    def test_session_over_websocket_ends_at_the_ping_timeout(self, server):
        client = self.connect_websocket(server)
        assert client.receive_frame() == (TEXT, b"2")
        assert client.receive_close_code() == 1000

    # Close

    def test_close_packet_over_polling_ends_the_session(self, server):
        session = self.connect_polling(server)
        with self.start_poll(session) as link:
            assert session.post("1")[0] == 200
            assert read_response(link) == (200, "6")
        assert session.poll()[0] == 400

    def test_close_packet_over_websocket_ends_the_session(self, server):
        client = self.connect_websocket(server)
        client.send("1")
        assert client.receive_close_code() == 1000

    # Upgrade

    def test_session_upgrades_from_polling_to_websocket(self, server):
        session = self.connect_polling(server)
        client = self.connect_websocket(server, session)
        client.send("2probe")
        assert client.receive_text() == "3probe"
        assert session.poll() == (200, "6")
        client.send("5")
        self.check_messages(client)
        client.close()

    def test_upgraded_session_takes_no_polls(self, server):
        session = self.connect_polling(server)
        client = self.upgrade(server, session)
        assert session.poll()[0] == 400
        self.check_messages(client)
        client.close()

    def test_upgraded_session_takes_no_other_websocket(self, server):
        session = self.connect_polling(server)
        client = self.upgrade(server, session)
        other = self.connect_websocket(server, session)
        assert other.receive_frame()[0] == CLOSE
        self.check_messages(client)
        client.close()
        other.close()


def read_response(link: socket.socket) -> tuple[int, str]:
    """Read the status and the text of a response."""
    response = http.client.HTTPResponse(link)
    response.begin()
    return response.status, response.read().decode()
