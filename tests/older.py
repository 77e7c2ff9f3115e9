"""Clients of Engine.IO 3 that speak it by hand, and may break it."""

from __future__ import annotations

import json
import threading
import time

from raw import RawWebSocket, fetched

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
