"""HTTP, Engine.IO 4 and WebSocket clients that tests drive byte by byte.

Use them for the protocols themselves: exact packets, malformed frames, requests cut short. Use
`support.clients.SocketIOClient` where the protocol isn't what is tested.
"""

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
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
)


def request(server, method: str, path: str, body: bytes | None = None, **headers: str):
    """Send a request and return the status, the headers by lower-case name, and the text."""
    status, found, answer = fetch_bytes(server, method, path, body, **headers)
    return status, found, answer.decode()


def fetch_bytes(server, method: str, path: str, body: bytes | None = None, **headers: str):
    """Send a request and return the status, the headers by lower-case name, and the body."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
    with contextlib.closing(link):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        link.request(method, path, body, named)
        answer = link.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()


def refused_upgrade(server, path: str, method: str = "GET") -> tuple[int, str]:
    """Ask for a WebSocket that the server refuses; return the status and the text."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as link:
        link.sendall(handshake(server, path).replace(b"GET", method.encode(), 1))
        answer = http.client.HTTPResponse(link)
        answer.begin()
        return answer.status, answer.read().decode()


def exchange(server, data: bytes, seconds: float = 15) -> bytes:
    """Send raw bytes and return all that the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as link:
        link.sendall(data)
        received = b""
        while got := link.recv(65536):
            received += got
        return received


class Polling:
    """An Engine.IO 4 session over long polling; `connect` also enters the default namespace."""

    def __init__(self, server, connect: bool = True, base: str = BASE) -> None:
        self.server = server
        status, _, body = request(server, "GET", base)
        assert (status, body[0]) == (200, "0"), (status, body)
        self.open_packet = json.loads(body[1:])
        self.path = f"{base}&sid={self.open_packet['sid']}"
        if connect:
            assert self.post("40") == (200, "ok")
            assert self.poll()[1].startswith('40{"sid":')

    def poll(self) -> tuple[int, str]:
        """Send a GET and return the status and the text."""
        status, _, body = request(self.server, "GET", self.path)
        return status, body

    def start_poll(self) -> tuple[threading.Thread, list[tuple[int, str]]]:
        """Start a poll in a thread; return the thread and the list for its result."""
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
    """A WebSocket that sends and receives frames; `connect` also enters the default namespace."""

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
            self.open_packet = json.loads(self.receive_text()[1:])
            self.send("40")
            assert self.receive_text().startswith('40{"sid":')

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send(self, message: str | bytes) -> None:
        data, opcode = (message.encode(), TEXT) if isinstance(message, str) else (message, BINARY)
        self.send_raw(frame(data, opcode))

    def receive_frame(self) -> tuple[int, bytes] | None:
        """Return the opcode and the data of the next frame, or None if the connection ended."""
        head = self._receive_bytes(2)
        if len(head) < 2:
            return None
        length = head[1] & 127
        if length > 125:
            size, form = (2, "!H") if length == 126 else (8, "!Q")
            length = struct.unpack(form, self._receive_bytes(size))[0]
        return head[0] & 15, self._receive_bytes(length)

    def _receive_bytes(self, count: int) -> bytes:
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

    def receive_text(self) -> str:
        """Return the next text message, and answer Engine.IO pings before it."""
        while True:
            received = self.receive_frame()
            assert received, "the connection has ended"
            opcode, data = received
            assert opcode == TEXT, received
            if data == b"2":
                self.send("3")
                continue
            return data.decode()

    def receive_until(self, prefix: str) -> list[str]:
        """Return the text messages up to the first that starts with `prefix`."""
        texts = [self.receive_text()]
        while not texts[-1].startswith(prefix):
            texts.append(self.receive_text())
        return texts

    def receive_close_code(self) -> int | None:
        """Read to the end and return the code of the close frame, or None if there was none."""
        while True:
            received = self.receive_frame()
            if received is None:
                return None
            opcode, data = received
            if opcode == CLOSE:
                assert self.receive_frame() is None
                return struct.unpack("!H", data[:2])[0] if data else 1005

    def close(self) -> None:
        self.sock.close()


def handshake(server, path: str, connection: str = "Upgrade", headers: str = "") -> bytes:
    host = f"127.0.0.1:{server.port}"
    return HANDSHAKE.format(path=path, host=host, connection=connection, headers=headers).encode()


def frame(
    data: bytes, opcode: int = TEXT, fin: bool = True, rsv: int = 0, mask: bool = True
) -> bytes:
    """Encode a frame as a client sends it (RFC 6455, section 5.2)."""
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
    """Wait until `holds()` is true, and fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def error_body(code: int, message: str) -> str:
    """Return the body of an Engine.IO error response (reference: Server.errors)."""
    return json.dumps({"code": code, "message": message}, separators=(",", ":"))


def assert_name_is_free(server, name: str) -> None:
    """Claim the name with another client, then disconnect that client to free the name again."""
    other = RawWebSocket(server)
    other.send(f'420["setUsername","{name}"]')
    assert '"ok":true' in other.receive_until("430")[-1]
    other.send_raw(frame(b"", CLOSE))
    assert other.receive_close_code() == 1005
    other.close()
