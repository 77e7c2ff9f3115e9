"""Clients that speak the protocols by hand, and may break them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import struct
import threading
import time

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
BASE = "/socket.io/?EIO=4&transport=polling"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
)


def request(server, method: str, path: str, body: bytes | None = None, **headers: str):
    """The status, headers by lower-case name, and text that a request is answered with."""
    status, found, answer = fetched(server, method, path, body, **headers)
    return status, found, answer.decode()


def fetched(server, method: str, path: str, body: bytes | None = None, **headers: str):
    """The status, headers by lower-case name, and body that a request is answered with."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
    with contextlib.closing(link):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        link.request(method, path, body, named)
        answer = link.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()


def refused_upgrade(server, path: str, method: str = "GET") -> tuple[int, str]:
    """The status and text that a request for a WebSocket is answered with, where it gets none."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(handshake(server, path).replace(b"GET", method.encode(), 1))
        answer = http.client.HTTPResponse(link)
        answer.begin()
        return answer.status, answer.read().decode()


def exchange(server, data: bytes, seconds: float = 15) -> bytes:
    """All that raw bytes are answered with, until the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as link:
        link.sendall(data)
        received = b""
        while got := link.recv(65536):
            received += got
        return received


class Polling:
    """A session over long polling; `connect` enters the default namespace."""

    def __init__(self, server, connect: bool = True, base: str = BASE) -> None:
        self.server = server
        status, _, body = request(server, "GET", base)
        assert (status, body[0]) == (200, "0"), (status, body)
        self.opening = json.loads(body[1:])
        self.path = f"{base}&sid={self.opening['sid']}"
        if connect:
            assert self.post("40") == (200, "ok")
            assert self.poll()[1].startswith('40{"sid":')

    def poll(self) -> tuple[int, str]:
        status, _, body = request(self.server, "GET", self.path)
        return status, body

    def starts_polling(self) -> tuple[threading.Thread, list[tuple[int, str]]]:
        """A poll that waits, and the list that its answer will be in."""
        answers: list[tuple[int, str]] = []
        waiting = threading.Thread(target=lambda: answers.append(self.poll()))
        waiting.start()
        time.sleep(0.3)
        return waiting, answers

    def post(self, body: str | bytes, **headers: str) -> tuple[int, str]:
        data = body.encode() if isinstance(body, str) else body
        status, _, answer = request(self.server, "POST", self.path, data, **headers)
        return status, answer

    def is_alive(self) -> bool:
        return self.post("3")[0] == 200


class RawWebSocket:
    """A WebSocket, frame by frame; with `connect`, in the default namespace."""

    def __init__(
        self, server, connect: bool = True, path: str = "/socket.io/?EIO=4&transport=websocket"
    ) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=15)
        self.buffer = b""
        self.send_raw(handshake(server, path))
        while b"\r\n\r\n" not in self.buffer:
            received = self.sock.recv(4096)
            assert received, self.buffer
            self.buffer += received
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101"), self.head
        if connect:
            self.opening = json.loads(self.text()[1:])
            self.send("40")
            assert self.text().startswith('40{"sid":')

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send(self, message: str | bytes) -> None:
        data, opcode = (message.encode(), TEXT) if isinstance(message, str) else (message, BINARY)
        self.send_raw(frame(data, opcode))

    def frame(self) -> tuple[int, bytes] | None:
        """The next frame's opcode and data; None at the end."""
        head = self._take(2)
        if len(head) < 2:
            return None
        length = head[1] & 127
        if length > 125:
            size, form = (2, "!H") if length == 126 else (8, "!Q")
            length = struct.unpack(form, self._take(size))[0]
        return head[0] & 15, self._take(length)

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            try:
                received = self.sock.recv(65536)
            except ConnectionError:
                received = b""
            if not received:
                break
            self.buffer += received
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def text(self) -> str:
        """The next message's text; pings of Engine.IO are answered on the way."""
        while True:
            got = self.frame()
            assert got, "the connection has ended"
            opcode, data = got
            assert opcode == TEXT, got
            if data == b"2":
                self.send("3")
                continue
            return data.decode()

    def texts(self, until: str) -> list[str]:
        """The messages up to the first that starts with `until`."""
        texts = [self.text()]
        while not texts[-1].startswith(until):
            texts.append(self.text())
        return texts

    def close_code(self) -> int | None:
        """What the connection is closed with; None: it ended without a close frame."""
        while True:
            got = self.frame()
            if got is None:
                return None
            if got[0] == CLOSE:
                assert self.frame() is None
                return struct.unpack("!H", got[1][:2])[0] if got[1] else 1005

    def close(self) -> None:
        self.sock.close()


def handshake(server, path: str, connection: str = "Upgrade", more: str = "") -> bytes:
    host = f"127.0.0.1:{server.port}"
    return HANDSHAKE.format(path=path, host=host, connection=connection, more=more).encode()


def frame(
    data: bytes, opcode: int = TEXT, fin: bool = True, rsv: int = 0, mask: bool = True
) -> bytes:
    """A frame as a client sends it (RFC 6455, section 5.2)."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 128 if mask else 0
    if len(data) < 126:
        head += bytes([bit | len(data)])
    elif len(data) < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", len(data))
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", len(data))
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def eventually(holds, within: float = 10.0) -> None:
    """Wait until `holds()`."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def error(code: int, message: str) -> str:
    """The body of an error's answer (reference: Server.errors)."""
    return json.dumps({"code": code, "message": message}, separators=(",", ":"))


def name_is_free(server, name: str) -> None:
    """Assert that it is, and is again: somebody takes it, and has left when this returns."""
    other = RawWebSocket(server)
    other.send(f'420["setUsername","{name}"]')
    assert '"ok":true' in other.texts("430")[-1]
    other.send_raw(frame(b"", CLOSE))
    assert other.close_code() == 1005
    other.close()
