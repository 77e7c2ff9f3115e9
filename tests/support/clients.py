"""Clients of a real server: python-socketio's own, and clients of Engine.IO 3 written by hand.

Use `SocketIOClient` for what a well-behaved client does. Use `OlderPolling` and `OlderWebSocket` to
speak Engine.IO 3 packet by packet, and to break it; `support.raw` has the same for Engine.IO 4.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import Any

import socketio

from support.raw import RawWebSocket, fetched


class SocketIOClient:
    """A client of the server at `url`, over "websocket", "polling" or both: the upgrade."""

    def __init__(self, url: str, *transports: str, **options: Any) -> None:
        self.received: list[tuple[Any, ...]] = []
        self._changed = threading.Condition()
        self.client = socketio.Client(reconnection=False, **options)
        self.client.on("*", self._record)
        # In the order they came: by itself each event is handled in a thread of its own.
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
        """The arguments of the first `count` such events, once they have come."""
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
        return [said["message"] for said, _ in self.wait_for("newmsg", count=count)]

    def disconnect(self) -> None:
        """Say goodbye, over polling by its close packet: the client's own may be left unsent."""
        if self.client.transport() == "polling":
            session = f"/socket.io/?EIO=4&transport=polling&sid={self.client.eio.sid}"
            urllib.request.urlopen(self.client.connection_url + session, b"1", timeout=5).close()
            self.client.eio.disconnect(abort=True)
        else:
            self.client.disconnect()


BASE = "/socket.io/?EIO=3&transport=polling"
WEBSOCKET = "/socket.io/?EIO=3&transport=websocket"


def payload(*packets: str) -> bytes:
    """A body that carries packets, as text."""
    lengths = [len(packet.encode("utf-16-le")) // 2 for packet in packets]
    return "".join(f"{n}:{packet}" for n, packet in zip(lengths, packets, strict=True)).encode()


def packets(body: str) -> list[str]:
    """What a body carries."""
    found, units = [], body.encode("utf-16-le")
    while units:
        size = 0
        while not units.startswith(b":\0"):
            size, units = size * 10 + int(chr(units[0])), units[2:]
        found.append(units[2 : 2 + 2 * size].decode("utf-16-le"))
        units = units[2 + 2 * size :]
    return found


class OlderPolling:
    """A session over long polling, in the default namespace as any is."""

    def __init__(self, server, more: str = "") -> None:
        self.server = server
        status, self.headers, body = fetched(server, "GET", BASE + more)
        assert status == 200, body
        self.first = body.decode()
        opening, *self.heard = packets(self.first)
        self.opening = json.loads(opening[1:])
        self.path = f"{BASE}&sid={self.opening['sid']}"

    def poll(self) -> tuple[int, str]:
        status, self.headers, body = fetched(self.server, "GET", self.path)
        return status, body.decode()

    def hears(self) -> list[str]:
        """The packets of the next answer."""
        status, body = self.poll()
        assert status == 200, body
        return packets(body)

    def starts_polling(self) -> tuple[threading.Thread, list[tuple[int, str]]]:
        """A poll that waits, and the list that its answer will be in."""
        answers: list[tuple[int, str]] = []
        waiting = threading.Thread(target=lambda: answers.append(self.poll()))
        waiting.start()
        time.sleep(0.3)
        return waiting, answers

    def says(self, *said: str) -> tuple[int, str]:
        return self.post(payload(*said))

    def post(self, body: bytes, **headers: str) -> tuple[int, str]:
        status, _, answer = fetched(self.server, "POST", self.path, body, **headers)
        return status, answer.decode()

    def is_alive(self) -> bool:
        return self.says("6")[0] == 200


class OlderWebSocket(RawWebSocket):
    """A session over a WebSocket, frame by frame, once the server has said its first two packets;
    with `path`, whatever that leads to."""

    def __init__(self, server, path: str = "", more: str = "") -> None:
        super().__init__(server, connect=False, path=path or WEBSOCKET + more)
        if not path:
            opening = self.text()
            self.opening = json.loads(opening[1:])
            assert (opening[0], self.text()) == ("0", "40")

    def text(self) -> str:
        """The next message's text."""
        got = self.frame()
        assert got, "the connection has ended"
        assert got[0] == 1, got
        return got[1].decode()
