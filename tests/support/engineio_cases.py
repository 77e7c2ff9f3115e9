"""The cases of Engine.IO's suite that Socket.IO's suite has as well, each as one test."""

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
    """What an Engine.IO server at `path` does. Inherit it, and say `path` and `serves_on`."""

    path: ClassVar[str]

    @pytest.fixture(params=KINDS)
    def server(self, request, serve):
        server = serve(request.param, module="support.apps.suites")
        yield server
        assert "Traceback" not in server.log.read_text()

    def serves_on(self, client: RawWebSocket) -> None:
        """Assert that messages of an upgraded session are answered."""
        raise NotImplementedError

    # Clients

    def request(self, server, method: str, query: str) -> tuple[int, str]:
        status, _, body = request(server, method, f"{self.path}?{query}")
        return status, body

    def polling(self, server) -> Polling:
        """A session over polling."""
        return Polling(server, connect=False, base=f"{self.path}?EIO=4&transport=polling")

    def websocket(self, server, session: Polling | None = None) -> RawWebSocket:
        """A WebSocket, in place of the polls of `session`, or with a session of its own."""
        sid = f"&sid={session.open_packet['sid']}" if session else ""
        path = f"{self.path}?EIO=4&transport=websocket{sid}"
        client = RawWebSocket(server, connect=False, path=path)
        if session is None:
            client.open_packet = json.loads(client.receive_text().removeprefix("0"))
        return client

    def upgraded(self, server, session: Polling) -> RawWebSocket:
        """A WebSocket that `session` has upgraded to."""
        client = self.websocket(server, session)
        client.send("2probe")
        assert client.receive_text() == "3probe"
        client.send("5")
        client.send_raw(frame(b"", PING))
        while (got := client.receive_frame()) != (
            PONG,
            b"",
        ):  # by then the packets before are taken
            assert got == (TEXT, b"2")
            client.send("3")
        return client

    def begins_polling(self, session: Polling) -> socket.socket:
        """A connection with a poll that the server has taken, and not answered."""
        link = socket.create_connection(("127.0.0.1", session.server.port), timeout=15)
        link.sendall(f"GET {session.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert request(session.server, "GET", "/healthz")[0] == 200  # a later one is answered
        return link

    # Handshake

    def has_opened(self, opening: dict, upgrades: list[str]) -> None:
        assert isinstance(opening.pop("sid"), str)
        assert opening == {
            "upgrades": upgrades,
            "pingInterval": PING_INTERVAL * 1000,
            "pingTimeout": PING_TIMEOUT * 1000,
            "maxPayload": MAX_PAYLOAD,
        }

    def test_handshake_over_polling_opens_a_session(self, server):
        status, body = self.request(server, "GET", "EIO=4&transport=polling")
        assert (status, body[0]) == (200, "0")
        self.has_opened(json.loads(body[1:]), ["websocket"])

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
        client = self.websocket(server)
        self.has_opened(client.open_packet, [])
        client.close()

    def test_handshake_over_websocket_with_an_invalid_protocol_fails(self, server):
        for query in ("transport=websocket", "EIO=abc&transport=websocket"):
            assert refused_upgrade(server, f"{self.path}?{query}")[0] == 400

    def test_handshake_over_websocket_with_an_invalid_transport_fails(self, server):
        for query in ("EIO=4", "EIO=4&transport=abc"):
            assert refused_upgrade(server, f"{self.path}?{query}")[0] == 400

    # Heartbeat

    def test_pings_over_polling_are_answered_by_pongs(self, server):
        session = self.polling(server)
        for _ in range(3):
            assert session.poll() == (200, "2")
            assert session.post("3")[0] == 200

    def test_session_over_polling_ends_at_the_ping_timeout(self, server):
        session = self.polling(server)
        time.sleep(PING_INTERVAL + PING_TIMEOUT)
        assert session.poll()[0] == 400

    def test_pings_over_websocket_are_answered_by_pongs(self, server):
        client = self.websocket(server)
        for _ in range(3):
            assert client.receive_frame() == (TEXT, b"2")
            client.send("3")
        client.close()

    def test_session_over_websocket_ends_at_the_ping_timeout(self, server):
        client = self.websocket(server)
        assert client.receive_frame() == (TEXT, b"2")
        assert client.receive_close_code() == 1000

    # Close

    def test_close_packet_over_polling_ends_the_session(self, server):
        session = self.polling(server)
        with self.begins_polling(session) as link:
            assert session.post("1")[0] == 200
            assert answer(link) == (200, "6")
        assert session.poll()[0] == 400

    def test_close_packet_over_websocket_ends_the_session(self, server):
        client = self.websocket(server)
        client.send("1")
        assert client.receive_close_code() == 1000

    # Upgrade

    def test_session_upgrades_from_polling_to_websocket(self, server):
        session = self.polling(server)
        client = self.websocket(server, session)
        client.send("2probe")
        assert client.receive_text() == "3probe"
        assert session.poll() == (200, "6")
        client.send("5")
        self.serves_on(client)
        client.close()

    def test_upgraded_session_takes_no_polls(self, server):
        session = self.polling(server)
        client = self.upgraded(server, session)
        assert session.poll()[0] == 400
        self.serves_on(client)
        client.close()

    def test_upgraded_session_takes_no_other_websocket(self, server):
        session = self.polling(server)
        client = self.upgraded(server, session)
        other = self.websocket(server, session)
        assert other.receive_frame()[0] == CLOSE
        self.serves_on(client)
        client.close()
        other.close()


def answer(link: socket.socket) -> tuple[int, str]:
    """What the request that was sent over `link` is answered with."""
    response = http.client.HTTPResponse(link)
    response.begin()
    return response.status, response.read().decode()
