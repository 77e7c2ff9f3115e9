"""A Socket.IO client, and Engine.IO 3 clients that tests drive packet by packet.

Use `SocketIOClient` (python-socketio) where the protocol isn't what is tested. Use
`Engine3Polling` and `Engine3WebSocket` to send malformed or unusual packets of Engine.IO 3.
`support.raw` has the same for Engine.IO 4.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import Any

import socketio

from support.raw import RawWebSocket, fetch_bytes


class SocketIOClient:
    """A python-socketio client of the server at `url` that records the events it receives.

    `transports` are "websocket", "polling", or both for an upgrade.
    """

    def __init__(self, url: str, *transports: str, **options: Any) -> None:
        self.received: list[tuple[Any, ...]] = []
        self._changed = threading.Condition()
        self.client = socketio.Client(reconnection=False, **options)
        self.client.on("*", self._record)
        # python-socketio handles each event in its own thread, which would reorder them.
        trigger = self.client.eio._trigger_event
        self.client.eio._trigger_event = lambda *event, **how: trigger(
            *event, **how | {"run_async": False}
        )
        self.client.connect(url, transports=list(transports) or None, wait_timeout=10)

    def _record(self, event: str, *arguments: Any) -> None:
        with self._changed:
            self.received.append((event, *arguments))
            self._changed.notify_all()

    def call(self, event: str, *arguments: Any) -> Any:
        """Send an event and return its acknowledgement."""
        return self.client.call(event, arguments, timeout=10)

    def set_name(self, name: str) -> Any:
        return self.call("setUsername", name)

    def emit(self, event: str, *arguments: Any) -> None:
        """Send an event without asking for an acknowledgement."""
        self.client.emit(event, arguments)

    def wait_for(self, event: str, *, within: float = 10, count: int = 1) -> list[tuple[Any, ...]]:
        """Wait for `count` events of this name and return the arguments of each."""
        deadline = time.monotonic() + within
        with self._changed:
            while len(found := [e[1:] for e in self.received if e[0] == event]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"no {event}, only {self.received}"
                self._changed.wait(left)
            return found[:count]

    def clear_received(self) -> None:
        with self._changed:
            self.received.clear()

    def wait_for_messages(self, count: int) -> list[str]:
        """Wait for `count` messages of the chat and return their texts."""
        return [content["message"] for content, _ in self.wait_for("newmsg", count=count)]

    def disconnect(self) -> None:
        """Disconnect cleanly.

        python-socketio may drop its close packet over polling, so this posts one first.
        """
        if self.client.transport() == "polling":
            session = f"/socket.io/?EIO=4&transport=polling&sid={self.client.eio.sid}"
            urllib.request.urlopen(self.client.connection_url + session, b"1", timeout=5).close()
            self.client.eio.disconnect(abort=True)
        else:
            self.client.disconnect()


BASE = "/socket.io/?EIO=3&transport=polling"
WEBSOCKET = "/socket.io/?EIO=3&transport=websocket"


def encode_payload(*packets: str) -> bytes:
    """Encode packets as one text body (Engine.IO 3, Payload)."""
    lengths = [len(packet.encode("utf-16-le")) // 2 for packet in packets]
    return "".join(f"{n}:{packet}" for n, packet in zip(lengths, packets, strict=True)).encode()


def decode_payload(body: str) -> list[str]:
    """Decode the packets of a text body."""
    found, units = [], body.encode("utf-16-le")
    while units:
        size = 0
        while not units.startswith(b":\0"):
            size, units = size * 10 + int(chr(units[0])), units[2:]
        found.append(units[2 : 2 + 2 * size].decode("utf-16-le"))
        units = units[2 + 2 * size :]
    return found


class Engine3Polling:
    """An Engine.IO 3 session over long polling; its server puts it into the default namespace."""

    def __init__(self, server, query: str = "") -> None:
        self.server = server
        status, self.headers, body = fetch_bytes(server, "GET", BASE + query)
        assert status == 200, body
        self.body = body.decode()
        self.open_packet = json.loads(decode_payload(self.body)[0][1:])
        self.path = f"{BASE}&sid={self.open_packet['sid']}"

    def poll(self) -> tuple[int, str]:
        """Send a GET and return the status and the body."""
        status, self.headers, body = fetch_bytes(self.server, "GET", self.path)
        return status, body.decode()

    def receive(self) -> list[str]:
        """Poll once and return the packets."""
        status, body = self.poll()
        assert status == 200, body
        return decode_payload(body)

    def start_poll(self) -> tuple[threading.Thread, list[tuple[int, str]]]:
        """Start a poll in a thread; return the thread and the list for its result."""
        answers: list[tuple[int, str]] = []
        waiting = threading.Thread(target=lambda: answers.append(self.poll()))
        waiting.start()
        time.sleep(0.3)
        return waiting, answers

    def send(self, *packets: str) -> tuple[int, str]:
        """Post packets and return the status and the body."""
        return self.post(encode_payload(*packets))

    def post(self, body: bytes, **headers: str) -> tuple[int, str]:
        status, _, answer = fetch_bytes(self.server, "POST", self.path, body, **headers)
        return status, answer.decode()

    def is_alive(self) -> bool:
        return self.send("6")[0] == 200


class Engine3WebSocket(RawWebSocket):
    """An Engine.IO 3 session over WebSocket, once the open and CONNECT packets have come.

    With `path`, only connect to that path and read no packets.
    """

    def __init__(self, server, path: str = "", query: str = "") -> None:
        super().__init__(server, connect=False, path=path or WEBSOCKET + query)
        if not path:
            packet = self.receive_text()
            self.open_packet = json.loads(packet[1:])
            assert (packet[0], self.receive_text()) == ("0", "40")

    def receive_text(self) -> str:
        """Return the next text message."""
        received = self.receive_frame()
        assert received, "the connection has ended"
        assert received[0] == 1, received
        return received[1].decode()
