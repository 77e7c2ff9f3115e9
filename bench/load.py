"""The load: a crowd of clients on one epoll loop, cheap enough not to be what is measured.

What a client hears is counted by its MARK and not parsed. Only senders (whose own messages end a
flight) and a few listeners (who time what they hear) are read more closely.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Self

from bench import frames
from bench.errors import BenchError

READ_BYTES = 1 << 21
HANDSHAKES = 64  # under way at once
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ENDS_MESSAGE = ord("]")
HEADS_PING = 1  # a ping's second byte; another frame has one only where it's long


class Client:
    __slots__ = ("listens", "number", "own", "said", "sock", "tail", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tail = b""  # what was read last, where it didn't end with a message's end
        self.unsent = b""  # what the kernel hasn't taken yet
        self.listens = False  # whether it times what it hears
        self.own = b""  # what its own messages begin with, where it's a sender
        self.number = 0  # a sender's
        self.said = 0  # messages


class Crowd:
    """Clients of the server at `port`, all of them in the lobby; all have left once `with` ends.

    `heard` counts deliveries, `latencies` holds the seconds that those to the listeners took, and
    `returned` the senders whose own messages were heard in the last turn, once for each message.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.epoll = select.epoll()
        self.clients: dict[int, Client] = {}
        self.senders: list[Client] = []
        self.returned: list[Client] = []
        self.latencies: list[float] = []
        self.heard = 0
        self.said = 0
        self.cut = 0
        self.said_at: dict[bytes, float] = {}
        self._buffer = bytearray(READ_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self.epoll.close()

    def connect(self, count: int, within: float = 60.0) -> None:
        """Let `count` clients in, a few at a time."""
        deadline = time.monotonic() + within
        begun = 0
        got: dict[int, bytes] = {}
        while len(self.clients) < count or got:
            while begun < count and len(got) < HANDSHAKES:
                begun += 1
                got[self._knock()] = b""
            for descriptor, _ in self.epoll.poll(1):
                client = self.clients[descriptor]
                data = client.sock.recv(65536)
                if not data:
                    raise BenchError(f"a client was turned away: {got.get(descriptor)!r}")
                if descriptor not in got:
                    continue
                before, now = got[descriptor], got[descriptor] + data
                got[descriptor] = now
                if b'40{"sid"' in now:
                    del got[descriptor]
                elif b'0{"sid"' in now and b'0{"sid"' not in before:
                    if not now.startswith(b"HTTP/1.1 101"):
                        raise BenchError(f"a client was turned away: {now[:80]!r}")
                    client.sock.send(frames.frame(b"40"))
            if time.monotonic() > deadline:
                raise BenchError(f"{count - begun + len(got)} of {count} clients never got in")

    def _knock(self) -> int:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.send(HANDSHAKE)
        self.clients[sock.fileno()] = Client(sock)
        self.epoll.register(sock, select.EPOLLIN)
        return sock.fileno()

    def cast(self, senders: int, listeners: int) -> None:
        """Name `senders` clients, and let `listeners` others time; both from all over the crowd."""
        everyone = list(self.clients.values())
        for number in range(senders):
            client = everyone[number * len(everyone) // senders]
            client.number, client.own = number, frames.MARK + b"%02d" % number
            self._name(client)
            self.senders.append(client)
        hearers = [client for client in everyone if not client.own]
        for number in range(listeners):
            hearers[(2 * number + 1) * len(hearers) // (2 * listeners)].listens = True

    def _name(self, client: Client) -> None:
        client.sock.send(frames.frame(b'420["setUsername","s%02d"]' % client.number))
        answer, deadline = b"", time.monotonic() + 10
        while b"430[" not in answer:
            for descriptor, _ in self.epoll.poll(1):
                data = self.clients[descriptor].sock.recv(READ_BYTES)
                if descriptor == client.sock.fileno():
                    answer += data
            if time.monotonic() > deadline:
                raise BenchError("a client's name was never set")
        if b'"ok":true' not in answer:
            raise BenchError(f"a client's name was refused: {answer!r}")

    def say(self, client: Client) -> None:
        """Send the next message of `client`, asking for an acknowledgement."""
        client.said += 1
        tagged = frames.tag(client.number, client.said)
        event = '42%d["msg",{"message":"%s","user":"s%02d"}]'
        payload = event % (client.said, frames.text(tagged), client.number)
        framed = frames.frame(payload.encode())
        self.said_at[tagged] = time.perf_counter()
        self.said += 1
        self._send(client, framed)

    def _send(self, client: Client, data: bytes) -> None:
        client.unsent += data
        with contextlib.suppress(BlockingIOError):
            try:
                client.unsent = client.unsent[client.sock.send(client.unsent) :]
            except ConnectionError:
                client.unsent = b""  # its end is read in a moment

    def turn(self, timeout: float) -> None:
        """Read what there is, or comes within `timeout` seconds."""
        self.returned.clear()
        buffer, clients = self._buffer, self.clients
        mark, ends_message, heads_ping = frames.MARK, ENDS_MESSAGE, HEADS_PING
        for descriptor, _ in self.epoll.poll(0) or self._wait(timeout):
            client = clients[descriptor]
            try:
                size = client.sock.recv_into(buffer)
            except ConnectionError:
                size = 0
            if not size:
                self._end(descriptor)
                continue
            self.heard += buffer.count(mark, 0, size)
            if (
                client.own
                or client.listens
                or client.tail
                or buffer[size - 1] != ends_message
                or buffer.find(heads_ping, 0, size) >= 0
            ):
                self._read_closely(client, bytes(buffer[:size]))
        for client in self.senders:
            if client.unsent:
                self._send(client, b"")

    def _wait(self, timeout: float) -> list[tuple[int, int]]:
        """Epoll's own timeouts are whole milliseconds."""
        ready = timeout > 0 and select.select([self.epoll], [], [], timeout)[0]
        return self.epoll.poll(0) if ready else []

    def _read_closely(self, client: Client, data: bytes) -> None:
        if client.listens:
            now = time.perf_counter()
            said_at = self.said_at
            self.latencies += [now - said_at[tag] for tag in frames.tags_across(client.tail, data)]
        if client.own:
            own = frames.count_across(client.own, client.tail, data)
            self.returned += [client] * own
        for _ in range(frames.count_across(frames.PING, client.tail, data)):
            self._send(client, frames.frame(b"3"))
        ended = data[-1] == ENDS_MESSAGE
        client.tail = b"" if ended else (client.tail + data)[1 - frames.TAG_BYTES :]

    def _end(self, descriptor: int) -> None:
        """The server has closed a client."""
        self.cut += 1
        client = self.clients.pop(descriptor)
        if client.own:
            self.senders.remove(client)
        self.epoll.unregister(descriptor)
        client.sock.close()

    def stall(self, count: int) -> None:
        """Let `count` of those who only hear stop reading; `heard` is without them from now on."""
        hearers = [c for c in self.clients.values() if not c.own and not c.listens]
        for client in hearers[:: len(hearers) // count][:count]:
            self.epoll.unregister(client.sock)

    def leave(self) -> None:
        """All go, without a word."""
        for client in self.clients.values():
            client.sock.close()
        self.clients.clear()
