"""Socket.IO clients on one epoll loop, cheap enough that the server stays the bottleneck.

Deliveries are counted by the MARK in each message, without parsing. Only the data of senders and of
a few listeners is searched further: senders wait for their own messages, listeners measure
latencies.
"""

from __future__ import annotations

import itertools
import re
import select
import socket
import time
from collections.abc import Iterator
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
HANDSHAKE_3 = HANDSHAKE.replace(b"EIO=4", b"EIO=3")  # socket.io 2's
SWITCHING = b"HTTP/1.1 101"
ENTERED = b'40{"sid"'  # Socket.IO's answer to CONNECT
ENTERED_3 = b"\x81\x0240"  # the same for socket.io 2, sent unasked
SET_NAME = b'420["setUsername","%s"]'
NAME_ANSWER = re.compile(rb"430\[(.*?)\]")
MESSAGE_END = b"]"
PING_LENGTH = b"\x01"  # a ping's second byte; in other frames it is part of a long length


class Client:
    """A client's socket, buffers and role."""

    __slots__ = (
        "inspected",
        "is_engine3",
        "number",
        "own",
        "sent",
        "sock",
        "tail",
        "timed",
        "unsent",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tail = b""  # the end of the last read, unless that ended with a message
        self.unsent = b""  # data that the kernel hasn't accepted yet
        self.inspected = False  # whether its data is searched: it is a sender or a listener
        self.timed = False  # whether it is a listener, which measures latencies
        self.own = b""  # the prefix of its messages, if it is a sender
        self.number = 0  # a sender's
        self.sent = 0  # messages
        self.is_engine3 = False  # whether it speaks Engine.IO 3


class ClientPool:
    """A context manager of clients in the lobby, connected to `ports` in turn.

    `delivered` counts deliveries, `latencies` has the seconds of those to listeners, and `returned`
    has a sender once for each own message that it received in the last `poll`.
    """

    def __init__(self, *ports: int) -> None:
        self._ports = itertools.cycle(ports)
        self.epoll = select.epoll()
        self.clients: dict[int, Client] = {}
        self.senders: list[Client] = []
        self.returned: list[Client] = []
        self.latencies: list[float] = []
        self.delivered = 0
        self.sent = 0
        self.disconnected = 0
        self.sent_at: dict[bytes, float] = {}
        self._buffer = bytearray(READ_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect_all()
        self.epoll.close()

    def connect(
        self,
        count: int,
        within: float = 60.0,
        engine3: bool = False,
        names: Iterator[str] | None = None,
        at_once: int = HANDSHAKES,
    ) -> None:
        """Connect `count` clients, `at_once` at a time.

        Clients of Engine.IO 3 must `ping`, or the server closes them. Each client takes the next of
        `names`, if given.
        """
        deadline = time.monotonic() + within
        entered = ENTERED_3 if engine3 else ENTERED
        started = 0
        received: dict[int, bytes] = {}
        while started < count or received:
            while started < count and len(received) < at_once:
                started += 1
                received[self._open(engine3)] = b""
            for client, data in self._read():
                descriptor = client.sock.fileno()
                if descriptor not in received:
                    self._handle(client, data)
                    continue
                before, now = received[descriptor], received[descriptor] + data
                received[descriptor] = now
                if not data or not now.startswith(SWITCHING[: len(now)]):
                    answer = now.partition(b"\r\n")[0].decode(errors="replace")
                    raise BenchError(f"a client was refused: {answer or 'no answer'}")
                if names and entered in now:
                    if entered not in before:
                        self._send(client, frames.frame(SET_NAME % next(names).encode()))
                    if is_named(now):
                        del received[descriptor]
                elif entered in now:
                    del received[descriptor]
                elif not engine3 and b'0{"sid"' in now and b'0{"sid"' not in before:
                    self._send(client, frames.frame(b"40"))
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{count - started + len(received)} of {count} clients did not connect"
                )

    def _open(self, engine3: bool) -> int:
        sock = socket.create_connection(("127.0.0.1", next(self._ports)), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = self.add(sock)
        client.is_engine3 = engine3
        self._send(client, HANDSHAKE_3 if engine3 else HANDSHAKE)
        return sock.fileno()

    def add(self, sock: socket.socket) -> Client:
        """Add a client whose connection is already open."""
        sock.setblocking(False)
        self.epoll.register(sock, select.EPOLLIN)
        client = self.clients[sock.fileno()] = Client(sock)
        return client

    def _read(self) -> Iterator[tuple[Client, bytes]]:
        """Yield what clients receive within a second, and b"" for a closed connection."""
        for descriptor, _ in self.epoll.poll(1):
            client = self.clients[descriptor]
            try:
                yield client, client.sock.recv(65536)
            except ConnectionError:
                yield client, b""

    def _handle(self, client: Client, data: bytes) -> None:
        """Handle data of a client while another one connects or takes a name."""
        if data:
            self._inspect(client, data)
        else:
            self._end(client.sock.fileno())

    def assign_roles(self, senders: int, listeners: int) -> None:
        """Make some clients senders, with names, and some others listeners.

        Both are spread over the pool. Clients of Engine.IO 3 are no listeners.
        """
        clients = list(self.clients.values())
        for number in range(senders):
            client = clients[number * len(clients) // senders]
            client.number, client.own = number, frames.MARK + b"%02d" % number
            client.inspected = True
            self._set_name(client)
            self.senders.append(client)
        others = [client for client in clients if not client.own and not client.is_engine3]
        for number in range(listeners):
            listener = others[(2 * number + 1) * len(others) // (2 * listeners)]
            listener.inspected = listener.timed = True

    def _set_name(self, client: Client) -> None:
        self._send(client, frames.frame(SET_NAME % (b"s%02d" % client.number)))
        answer, deadline = b"", time.monotonic() + 10
        while not is_named(answer):
            for other, data in self._read():
                if other is client:
                    answer += data
                else:
                    self._handle(other, data)
            if time.monotonic() > deadline:
                raise BenchError("a client got no answer to setUsername")

    def send_message(self, client: Client) -> None:
        """Send the next message of `client`, and ask for an acknowledgement."""
        client.sent += 1
        tagged = frames.tag(client.number, client.sent)
        event = '42%d["msg",{"message":"%s","user":"s%02d"}]'
        payload = event % (client.sent, frames.text(tagged), client.number)
        framed = frames.frame(payload.encode())
        self.sent_at[tagged] = time.perf_counter()
        self.sent += 1
        self._send(client, framed)

    def ping(self) -> None:
        """Send the pings of Engine.IO 3, where only the client pings."""
        for client in self.clients.values():
            if client.is_engine3:
                self._send(client, frames.frame(b"2"))

    def _send(self, client: Client, data: bytes) -> None:
        client.unsent += data
        try:
            client.unsent = client.unsent[client.sock.send(client.unsent) :]
        except BlockingIOError:
            pass  # the next poll tries again
        except ConnectionError:
            client.unsent = b""  # the next read finds the end

    def poll(self, timeout: float) -> None:
        """Read what clients have received, or receive within `timeout` seconds."""
        self.returned.clear()
        buffer, clients = self._buffer, self.clients
        # Many clients receive the same bytes, and comparing costs less than counting.
        last, marks, has_more = b"", 0, True
        for descriptor, _ in self.epoll.poll(0) or self._wait(timeout):
            client = clients[descriptor]
            try:
                size = client.sock.recv_into(buffer)
            except ConnectionError:
                size = 0
            if not size:
                self._end(descriptor)
                continue
            if size != len(last) or not buffer.startswith(last):
                last = bytes(buffer[:size])
                marks = last.count(frames.MARK)
                has_more = PING_LENGTH in last or not last.endswith(MESSAGE_END)
            self.delivered += marks
            if has_more or client.inspected or client.tail:
                self._inspect(client, last)
        for client in self.senders:
            if client.unsent:
                self._send(client, b"")

    def _wait(self, timeout: float) -> list[tuple[int, int]]:
        """Wait for less than a millisecond, which epoll's own timeout can't."""
        ready = timeout > 0 and select.select([self.epoll], [], [], timeout)[0]
        return self.epoll.poll(0) if ready else []

    def _inspect(self, client: Client, data: bytes) -> None:
        if client.timed:
            now = time.perf_counter()
            sent_at = self.sent_at
            self.latencies += [now - sent_at[tag] for tag in frames.tags_across(client.tail, data)]
        if client.own:
            own = frames.count_across(client.own, client.tail, data)
            self.returned += [client] * own
        for _ in range(frames.count_across(frames.PING, client.tail, data)):
            self._send(client, frames.frame(b"3"))
        ended = data.endswith(MESSAGE_END)
        client.tail = b"" if ended else (client.tail + data)[1 - frames.TAG_BYTES :]

    def _end(self, descriptor: int) -> None:
        """Remove a client that the server has closed."""
        self.disconnected += 1
        client = self.clients.pop(descriptor)
        if client.own:
            self.senders.remove(client)
        self.epoll.unregister(descriptor)
        client.sock.close()

    def stall(self, count: int) -> None:
        """Have `count` clients without a role stop reading; `delivered` excludes them."""
        recipients = [c for c in self.clients.values() if not c.own and not c.timed]
        for client in recipients[:: len(recipients) // count][:count]:
            self.epoll.unregister(client.sock)

    def disconnect_all(self) -> None:
        """Close all connections without a close frame."""
        for client in self.clients.values():
            client.sock.close()
        self.clients.clear()


def is_named(received: bytes) -> bool:
    """Whether the answer to setUsername has come.

    Raises:
        BenchError: the name was refused.
    """
    answer = NAME_ANSWER.search(received)
    if answer and b'"ok":true' not in answer[1]:
        raise BenchError(f"a client's name was refused: {answer[1]!r}")
    return answer is not None
