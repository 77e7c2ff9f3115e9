"""The cases of the Socket.IO 5 protocol suite, under each kind of server.

The suite is docs/socket.io-protocol/v5-test-suite of socketio/socket.io (MIT), at commit
d2d753fed4435015c2d83fe62e676b44e07fa3f7. Each of its 32 cases is one test with raw clients;
`EngineIOCases` has the 16 that the Engine.IO suite shares.
"""

from __future__ import annotations

import json
import time

import pytest
from support.apps.suites import CONNECT_TIMEOUT
from support.engineio_cases import EngineIOCases
from support.raw import BINARY, CLOSE, TEXT, RawWebSocket


class TestSocketIO(EngineIOCases):
    path = "/socket.io/"

    def check_messages(self, client: RawWebSocket) -> None:
        client.send("40")
        assert client.receive_text().startswith('40{"sid":')

    @pytest.fixture
    def client(self, server):
        """A client that has sent no CONNECT packet."""
        client = self.connect_websocket(server)
        yield client
        client.close()

    @pytest.fixture
    def connected(self, client):
        """A client in the main namespace."""
        self.enter(client, "", "", "{}")
        return client

    def enter(self, client: RawWebSocket, namespace: str, payload: str, auth: str) -> None:
        """Enter a namespace and check the event `auth`, which returns the auth of CONNECT."""
        client.send(f"40{namespace}{payload}")
        answer = client.receive_text()
        assert answer.startswith(f"40{namespace}")
        handshake = json.loads(answer.removeprefix(f"40{namespace}"))
        assert list(handshake) == ["sid"]
        assert isinstance(handshake["sid"], str)
        assert client.receive_text() == f'42{namespace}["auth",{auth}]'

    # Connect

    def test_main_namespace_may_be_entered(self, client):
        self.enter(client, "", "", "{}")

    def test_main_namespace_may_be_entered_with_a_payload(self, client):
        self.enter(client, "", '{"token":"123"}', '{"token":"123"}')

    def test_custom_namespace_may_be_entered(self, client):
        self.enter(client, "/custom,", "", "{}")

    def test_custom_namespace_may_be_entered_with_a_payload(self, client):
        self.enter(client, "/custom,", '{"token":"abc"}', '{"token":"abc"}')

    def test_unknown_namespace_may_not_be_entered(self, client):
        client.send("40/random")
        assert client.receive_text() == '44/random,{"message":"Invalid namespace"}'

    def test_invalid_handshake_closes_the_connection(self, client):
        client.send("4abc")
        assert client.receive_close_code() == 1000

    def test_connection_without_a_handshake_is_closed(self, client):
        begun = time.monotonic()
        while (got := client.receive_frame()) == (TEXT, b"2"):
            client.send("3")
        assert got[0] == CLOSE
        assert time.monotonic() - begun > CONNECT_TIMEOUT / 2  # a ping timeout would come earlier

    # Disconnect

    def test_client_leaves_the_main_namespace_and_is_still_pinged(self, connected):
        connected.send("41")
        assert connected.receive_frame() == (TEXT, b"2")

    def test_client_leaves_a_custom_namespace_and_stays_in_the_main_one(self, connected):
        connected.send("40/custom")
        connected.receive_until('42/custom,["auth",{}]')
        connected.send("41/custom")
        connected.send('42["message","message to main namespace"]')
        assert connected.receive_text() == '42["message-back","message to main namespace"]'

    # Messages

    def test_text_event_is_echoed(self, connected):
        connected.send('42["message",1,"2",{"3":[true]}]')
        assert connected.receive_text() == '42["message-back",1,"2",{"3":[true]}]'

    def check_binary_answer(self, connected, event: str, answer: str) -> None:
        """Send an event with two attachments, and expect both again after `answer`."""
        places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
        connected.send(event % places)
        for attachment in (b"\1\2\3", b"\4\5\6"):
            connected.send(attachment)
        assert connected.receive_text() == answer % places
        assert connected.receive_frame() == (BINARY, b"\1\2\3")
        assert connected.receive_frame() == (BINARY, b"\4\5\6")

    def test_binary_event_is_echoed(self, connected):
        self.check_binary_answer(connected, '452-["message",%s]', '452-["message-back",%s]')

    def test_text_event_is_acknowledged(self, connected):
        connected.send('42456["message-with-ack",1,"2",{"3":[false]}]')
        assert connected.receive_text() == '43456[1,"2",{"3":[false]}]'

    def test_binary_event_is_acknowledged(self, connected):
        self.check_binary_answer(connected, '452-789["message-with-ack",%s]', "462-789[%s]")

    def test_unknown_packet_type_closes_the_connection(self, connected):
        connected.send("4abc")
        assert connected.receive_close_code() == 1000

    def test_invalid_payload_closes_the_connection(self, connected):
        connected.send("42{}")
        assert connected.receive_close_code() == 1000

    def test_invalid_acknowledgement_id_closes_the_connection(self, connected):
        connected.send('42abc["message-with-ack",1,"2",{"3":[false]}]')
        assert connected.receive_close_code() == 1000
