"""The cases of the Engine.IO 4 protocol suite, under each kind of server.

The suite is docs/engine.io-protocol/v4-test-suite of socketio/socket.io (MIT), at commit
d2d753fed4435015c2d83fe62e676b44e07fa3f7. Each of its 25 cases is one test with raw clients;
`EngineIOCases` has the 16 that the Socket.IO suite shares.
"""

from __future__ import annotations

from support.engineio_cases import EngineIOCases, read_response
from support.raw import BINARY, RawWebSocket


class TestEngineIO(EngineIOCases):
    path = "/engine.io/"

    def check_messages(self, client: RawWebSocket) -> None:
        client.send("4hello")
        assert client.receive_text() == "4hello"

    # Messages over polling

    def check_echo(self, server, payload: str) -> None:
        session = self.connect_polling(server)
        assert session.post(payload) == (200, "ok")
        assert session.poll() == (200, payload)

    def test_payload_of_one_text_packet_is_echoed(self, server):
        self.check_echo(server, "4hello")

    def test_payload_of_several_text_packets_is_echoed(self, server):
        self.check_echo(server, "4test1\x1e4test2\x1e4test3")

    def test_payload_of_text_and_binary_packets_is_echoed(self, server):
        self.check_echo(server, "4hello\x1ebAQIDBA==")

    def test_invalid_packet_over_polling_ends_the_session(self, server):
        session = self.connect_polling(server)
        assert session.post("abc")[0] == 400
        assert session.poll()[0] == 400

    def test_concurrent_poll_ends_the_session(self, server):
        session = self.connect_polling(server)
        with self.start_poll(session) as link:
            assert session.poll()[0] == 400
            assert read_response(link) == (200, "1")
        assert session.poll()[0] == 400

    def test_cancelled_poll_ends_the_session(self, server):
        session = self.connect_polling(server)
        self.start_poll(session).close()
        assert session.poll()[0] == 400

    # Messages over WebSocket

    def test_text_packet_over_websocket_is_echoed(self, server):
        client = self.connect_websocket(server)
        client.send("4hello")
        assert client.receive_text() == "4hello"
        client.close()

    def test_binary_packet_over_websocket_is_echoed(self, server):
        client = self.connect_websocket(server)
        client.send(b"\1\2\3\4")
        assert client.receive_frame() == (BINARY, b"\1\2\3\4")
        client.close()

    def test_invalid_packet_over_websocket_ends_the_session(self, server):
        client = self.connect_websocket(server)
        client.send("abc")
        assert client.receive_close_code() == 1000
