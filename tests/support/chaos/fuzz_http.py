"""The fuzzer's attacks over HTTP: pipelines, bodies, floods, early disconnects.

An attack is a generator that yields where another attack may run, so that many run at once.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.raw import (
    BASE,
    CONT,
    PING,
    PONG,
    TEXT,
    Polling,
    RawWebSocket,
    fetch_bytes,
    frame,
    handshake,
)

if TYPE_CHECKING:
    from support.chaos.fuzz import Fuzzer

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
METHODS = [
    *["GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"],
    *["TRACE", "CONNECT", "BREW", "get", "\x00", "X" * 300],
]
VERSIONS = ["HTTP/1.1"] * 8 + ["HTTP/1.0"] * 3 + ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/1", ""]
CONNECTIONS = [
    *["", "", "keep-alive", "close", "Upgrade", "keep-alive, Upgrade", "close, Upgrade"],
    *["upgrade,close", "close, keep-alive", "Upgrade, HTTP2-Settings", ",", "x"],
]
UPGRADES = ["", "websocket", "websocket", "WebSocket, h2c", "h2c", "x"]
CODINGS = [
    *["chunked"] * 12,
    *["Chunked", "gzip, chunked", "chunked, chunked", "chunked, gzip", "identity", "xchunked", ""],
]
LENGTHS = [
    *["-1", "+2", "2, 2", "2\r\nContent-Length: 3", "x", "", " 2 ", "1e1", "0x2", "2_0", "2.0"],
    *["9" * 5000, "\uff12", "1000000000", str(2**31), str(2**63), str(10**30), "002"],
]
LAST_CHUNKS = [
    *["0\r\n\r\n"] * 8,
    *["0\r\nExpires: never\r\n\r\n", "0\r\n: none\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n"],
    *["0\r\n" + "X: y\r\n" * 500 + "\r\n", "0\r\nX: " + "y" * 10000, "0\r\n", "", "\r\n\r\n"],
    *["-1\r\n\r\n", "f" * 20 + "\r\nx", "7fffffff\r\nx", "0x0\r\n\r\n", "0 \r\n\r\n", "x\r\n\r\n"],
    *["\uff11\r\nx\r\n0\r\n\r\n", "1_0\r\nx\r\n", "1\r\nxx\r\n0\r\n\r\n", "0" * 5000 + "\r\n\r\n"],
]
EXTENSIONS = [
    *["", "", "", ";a=b", ";a", ";", ' ; a="b;c"', ";a=" + "x" * 3000, ";\r", ";\n", ";\x00"],
]
GARBAGE = [
    *[
        b"\r\n" * 50,
        b"\n",
        b"\x00" * 100,
        b"GET",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    *[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"x" * 70000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 300],
    *[
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    ],
    *[
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
        b"GET //x HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b" / HTTP/1.1",
    ],
    *[b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n"],
    *[b"GET / HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n", b"\xff" * 300, frame(b"40"), b"2probe"],
]
UNITS = {
    "acknowledgements": frame(b"43[]"),
    "Engine.IO pongs": frame(b"3"),
    "WebSocket pings": frame(b"", PING),
    "WebSocket pongs": frame(b"", PONG),
    "empty fragments": frame(b"", CONT, fin=False),
}
METERED = frame(struct.pack("!H", 1008), 8, mask=False)
"""The close frame of a connection that has sent more than the limit."""
FLOOD = 15_000
"""Frames of a flood: more than twice the limit with the fuzzer's settings."""
MAX_CHUNKS = 10_000
"""More would delay the bystanders, which run in the same process."""
CUT_SECONDS = 30.0
"""Seconds after a flood's end within which a busy machine must close its connection."""
FILE = re.compile(rb"/static/[^\"' ]+")


class Survived(Exception):
    """The server didn't close the connection of a flood."""


class HttpAttacks:
    """Attacks over HTTP, with the fuzzer's random numbers."""

    def __init__(self, fuzzer: Fuzzer) -> None:
        self.fuzzer = fuzzer
        self.server = fuzzer.server
        self.random = fuzzer.random
        self.floods: Counter[str] = Counter()
        found = FILE.findall(fetch_bytes(self.server, "GET", "/")[2])
        self.paths = ["/", "/healthz", "/nothing", "/socket.io/", BASE, f"{BASE}&sid=unknown"]
        self.paths += [path.decode() for path in self.random.sample(found, min(4, len(found)))]
        self.sessions: deque[str] = deque(maxlen=8)
        self.attacks = [self.pipeline, self.pipeline, self.body, self.body, self.headers]
        self.attacks += [self.pieces, self.garbage, self.eager, self.segments, self.connects]
        self.attacks += [self.flood, self.flood_of_packets]

    # The attacks

    def pipeline(self) -> Iterator[None]:
        """Pipeline requests, some of them malformed."""
        requests = [self.simple() for _ in range(self.random.choice([1, 2, 5, 20, 100, 300]))]
        if self.random.random() < 0.3:
            place = self.random.randrange(len(requests))
            requests[place] = self.random.choice([*GARBAGE, self.fuzzer.mutated(requests[place])])
        with self.connection() as link:
            yield from self.send(link, b"".join(requests))
            yield from self.read_responses(link)

    def body(self) -> Iterator[None]:
        """Send a request with a valid or malformed body, and another request after it."""
        with self.connection() as link:
            yield from self.send(link, self.with_body() + self.simple())
            yield from self.read_responses(link)

    def headers(self) -> Iterator[None]:
        """Combine methods, versions, and Connection and Upgrade headers."""
        with self.connection() as link:
            requests = [self.unusual() for _ in range(self.random.choice([1, 1, 2, 5]))]
            yield from self.send(link, b"".join(requests))
            yield from self.read_responses(link)

    def pieces(self) -> Iterator[None]:
        """Send a request in pieces, sometimes only a part of it."""
        whole = self.random.choice([self.simple, self.with_body, self.unusual])()
        end = self.random.choice([len(whole), self.random.randrange(len(whole) + 1)])
        size = self.random.choice([1, 3, 50, 1000])
        with self.connection() as link:
            for at in range(0, min(end, 100 * size), size):
                yield from self.send(link, whole[at : min(at + size, end)])
                yield
            yield from self.read_responses(link)

    def garbage(self) -> Iterator[None]:
        """Send bytes that aren't HTTP, alone or after a request."""
        before = self.random.choice([b"", self.simple(), self.with_body(), self.unusual()])
        after = self.random.choice([*GARBAGE, self.random.randbytes(self.random.randrange(2000))])
        with self.connection() as link:
            yield from self.send(link, before + after)
            yield from self.read_responses(link)

    def eager(self) -> Iterator[None]:
        """Send a WebSocket handshake and frames in one write."""
        path = self.random.choice([WEBSOCKET, WEBSOCKET.replace("=4", "=3"), self.session(True)])
        connection = self.random.choice(["Upgrade", "keep-alive, Upgrade", "close, Upgrade"])
        frames = [frame(self.fuzzer.packet()) for _ in range(self.random.choice([1, 3, 30, 300]))]
        whole = handshake(self.server, path, connection) + frame(b"40") + b"".join(frames)
        with self.connection() as link:
            yield from self.send(link, whole)
            yield from self.read_responses(link)

    def segments(self) -> Iterator[None]:
        """Send frames in tiny segments."""
        client = self.fuzzer.websocket()
        with client.sock as link:
            link.setblocking(False)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            frames = [frame(self.fuzzer.packet()) for _ in range(self.random.randrange(1, 20))]
            whole, size = b"".join(frames), self.random.choice([1, 1, 2, 5])
            for at in range(0, len(whole), size):
                yield from self.send(link, whole[at : at + size])
                if self.random.random() < 0.1:
                    yield
            yield from self.read_responses(link)

    def connects(self) -> Iterator[None]:
        """Open connections and close them at once."""
        for _ in range(self.random.choice([1, 5, 30])):
            with self.connection() as link:
                if self.random.random() < 0.3:
                    yield from self.send(link, self.simple())
                if self.random.random() < 0.3:
                    link.shutdown(socket.SHUT_WR)
            yield

    def flood(self) -> Iterator[None]:
        """Send more frames of one kind than the limit allows.

        Raises:
            Survived: the server keeps the connection open.
        """
        kind = self.random.choice(list(UNITS))
        client = RawWebSocket(self.server)
        first = frame(b"", TEXT, fin=False) if kind == "empty fragments" else b""
        with client.sock as link:
            link.setblocking(False)
            self.floods["sent"] += 1
            last = b""
            sending = self.send(link, first + UNITS[kind] * FLOOD)
            deadline = time.monotonic() + CUT_SECONDS
            try:
                while (received := self.receive(link)) != b"":
                    last = (last + received)[-len(METERED) :] if received else last
                    if not received and time.monotonic() > deadline:
                        raise Survived(kind)
                    next(sending, None)
                    yield
            finally:
                self.floods["closed with 1008"] += last == METERED

    def flood_of_packets(self) -> Iterator[None]:
        """Post more packets in a body than the limit allows.

        Raises:
            Survived: the server keeps the session open.
        """
        session = Polling(self.server)
        yield
        packet = self.random.choice([b"3", b"43[]"])
        status, _ = session.post(b"\x1e".join([packet] * (FLOOD // 2)))
        if status not in (400, 429):
            raise Survived(f"packets: {status}")

    # Requests

    def session(self, websocket: bool = False) -> str:
        """Return the path of a session, which may have ended."""
        if not self.sessions or self.random.random() < 0.3:
            self.sessions.append(Polling(self.server).path)
        path = self.random.choice(self.sessions)
        return path.replace("polling", "websocket") if websocket else path

    def path(self) -> str:
        return self.session() if self.random.random() < 0.2 else self.random.choice(self.paths)

    def simple(self) -> bytes:
        """Return a valid request without a body."""
        return head("GET", self.path(), "HTTP/1.1", [])

    def unusual(self) -> bytes:
        """Return a request with an unusual method, version or header."""
        headers = [f"Connection: {self.random.choice(CONNECTIONS)}"]
        if self.random.random() < 0.5:
            headers.append(f"Upgrade: {self.random.choice(UPGRADES)}")
            headers.append(f"Sec-WebSocket-Version: {self.random.choice(['13', '8', 'x', ''])}")
            headers.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        path = self.random.choice([self.path(), WEBSOCKET])
        return head(
            self.random.choice(METHODS), path, self.random.choice(VERSIONS), self.sample(headers)
        )

    def with_body(self) -> bytes:
        """Return a request with a body, which may contradict its headers."""
        content = b"\x1e".join(self.fuzzer.packet() for _ in range(self.random.choice([1, 5, 50])))
        content *= self.random.choice([1, 1, 1, 1, 200])
        headers, chunked = [], self.random.random() < 0.5
        if chunked:
            headers.append(f"Transfer-Encoding: {self.random.choice(CODINGS)}")
        if not chunked or self.random.random() < 0.1:
            headers.append(f"Content-Length: {self.length(len(content))}")
        headers += self.sample(
            ["Expect: 100-continue", "Expect: x", "Content-Type: application/octet-stream"]
        )
        headers += self.sample([f"Connection: {self.random.choice(CONNECTIONS)}"])
        method, path = (
            self.random.choice(METHODS),
            self.random.choice([self.path(), self.session()]),
        )
        version = self.random.choice(VERSIONS)
        if self.random.random() < 0.5:
            method, version = "POST", "HTTP/1.1"
        whole = self.chunks(content) if chunked else content
        if self.random.random() < 0.2:
            whole = whole[: self.random.randrange(len(whole) + 1)]
        return head(method, path, version, headers) + whole

    def length(self, true: int) -> str:
        """Return a body's length, or sometimes a wrong one."""
        wrong = [str(true + 1), str(max(0, true - 1)), "0", self.random.choice(LENGTHS)]
        return self.random.choice([*[str(true)] * 4, *wrong])

    def chunks(self, content: bytes) -> bytes:
        """Return a chunked body, which may be malformed."""
        size = self.random.choice([1, 1, 7, 1000, len(content)])
        size = max(1, size, len(content) // MAX_CHUNKS)
        extension = self.random.choice(EXTENSIONS).encode()
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        chunks = [b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts]
        return b"".join(chunks) + self.random.choice(LAST_CHUNKS).encode()

    def sample(self, lines: list[str]) -> list[str]:
        return [line for line in lines if self.random.random() < 0.6]

    # Sending and receiving

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """Open a connection and close it at the end, or reset it (SO_LINGER of 0 s)."""
        with socket.socket() as link:
            if self.random.random() < 0.3:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(5)
            link.connect(("127.0.0.1", self.server.port))
            link.setblocking(False)
            try:
                yield link
            finally:
                if self.random.random() < 0.3:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send(self, link: socket.socket, data: bytes) -> Iterator[None]:
        """Send `data` as fast as the server reads it."""
        left = memoryview(data)
        while left:
            try:
                left = left[link.send(left) :]
            except BlockingIOError:
                yield

    def receive(self, link: socket.socket, size: int = 65536) -> bytes | None:
        """Return received bytes, None if there are none yet, or b"" at the end."""
        try:
            return link.recv(size)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""

    def read_responses(self, link: socket.socket) -> Iterator[None]:
        """Read all, some or none of the responses, fast or slowly."""
        if self.random.random() < 0.1:
            link.shutdown(socket.SHUT_WR)
        size = self.random.choice([65536, 65536, 65536, 500, 20, 0])
        for _ in range(self.random.choice([1, 5, 30, 100])):
            if size and self.receive(link, size) == b"":
                return
            yield


def head(method: str, path: str, version: str, headers: list[str]) -> bytes:
    lines = [f"{method} {path} {version}".rstrip(), "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()
