"""The load: a crowd of clients on one epoll loop, cheap enough not to be what is measured.

What a client hears is counted by its MARK and not parsed. Only senders (whose own messages end a
flight) and a few listeners (who time what they hear) are read more closely.
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
STARTS = b"HTTP/1.1 101"
ENTERED = b'40{"sid"'  # Socket.IO's answer to a CONNECT
ENTERED_3 = b"\x81\x0240"  # the same, which clients of socket.io 2 hear unasked
SET_NAME = b'420["setUsername","%s"]'
NAME_ANSWER = re.compile(rb"430\[(.*?)\]")
ENDS_MESSAGE = b"]"
HEADS_PING = b"\x01"  # a ping's second byte; another frame has one only where it's long


class Client:
    __slots__ = (
        *("closely", "listens", "number", "older", "own", "said", "sock", "tail"),
        "unsent",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tail = b""  # what was read last, where it didn't end with a message's end
        self.unsent = b""  # what the kernel hasn't taken yet
        self.closely = False  # whether more than its marks counts: it's a sender, or listens
        self.listens = False  # whether it times what it hears
        self.own = b""  # what its own messages begin with, where it's a sender
        self.number = 0  # a sender's
        self.said = 0  # messages
        self.older = False  # whether it speaks Engine.IO 3


class Crowd:
    """Clients of the server at `ports`, in turns, all of them in the lobby; all have left once
    `with` ends.

    `heard` counts deliveries, `latencies` holds the seconds that those to the listeners took, and
    `returned` the senders whose own messages were heard in the last turn, once for each message.
    """

    def __init__(self, *ports: int) -> None:
        self._ports = itertools.cycle(ports)
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

    def connect(
        self,
        count: int,
        within: float = 60.0,
        older: bool = False,
        names: Iterator[str] | None = None,
        at_once: int = HANDSHAKES,
    ) -> None:
        """Let `count` clients in, `at_once` at a time; `older` ones speak Engine.IO 3, and are cut
        unless they `ping`. Each client takes the next of `names`, if there are any."""
        deadline = time.monotonic() + within
        entered = ENTERED_3 if older else ENTERED
        begun = 0
        got: dict[int, bytes] = {}
        while begun < count or got:
            while begun < count and len(got) < at_once:
                begun += 1
                got[self._knock(older)] = b""
            for client, data in self._read():
                descriptor = client.sock.fileno()
                if descriptor not in got:
                    self._take(client, data)
                    continue
                before, now = got[descriptor], got[descriptor] + data
                got[descriptor] = now
                if not data or not now.startswith(STARTS[: len(now)]):
                    answer = now.partition(b"\r\n")[0].decode(errors="replace")
                    raise BenchError(f"a client was turned away: {answer or 'no answer'}")
                if names and entered in now:
                    if entered not in before:
                        self._send(client, frames.frame(SET_NAME % next(names).encode()))
                    if is_named(now):
                        del got[descriptor]
                elif entered in now:
                    del got[descriptor]
                elif not older and b'0{"sid"' in now and b'0{"sid"' not in before:
                    self._send(client, frames.frame(b"40"))
            if time.monotonic() > deadline:
                raise BenchError(f"{count - begun + len(got)} of {count} clients never got in")

    def _knock(self, older: bool) -> int:
        sock = socket.create_connection(("127.0.0.1", next(self._ports)), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = self.add(sock)
        client.older = older
        self._send(client, HANDSHAKE_3 if older else HANDSHAKE)
        return sock.fileno()

    def add(self, sock: socket.socket) -> Client:
        """A client over `sock`, let in already."""
        sock.setblocking(False)
        self.epoll.register(sock, select.EPOLLIN)
        client = self.clients[sock.fileno()] = Client(sock)
        return client

    def _read(self) -> Iterator[tuple[Client, bytes]]:
        """What comes within a second, and from whom; nothing, where the server has closed it."""
        for descriptor, _ in self.epoll.poll(1):
            client = self.clients[descriptor]
            try:
                yield client, client.sock.recv(65536)
            except ConnectionError:
                yield client, b""

    def _take(self, client: Client, data: bytes) -> None:
        """What a client hears while another one is being let in or named."""
        if data:
            self._read_closely(client, data)
        else:
            self._end(client.sock.fileno())

    def cast(self, senders: int, listeners: int) -> None:
        """Name `senders` clients, and let `listeners` others time; both from all over the crowd,
        but older clients time nothing."""
        everyone = list(self.clients.values())
        for number in range(senders):
            client = everyone[number * len(everyone) // senders]
            client.number, client.own = number, frames.MARK + b"%02d" % number
            client.closely = True
            self._name(client)
            self.senders.append(client)
        hearers = [client for client in everyone if not client.own and not client.older]
        for number in range(listeners):
            listener = hearers[(2 * number + 1) * len(hearers) // (2 * listeners)]
            listener.closely = listener.listens = True

    def _name(self, client: Client) -> None:
        self._send(client, frames.frame(SET_NAME % (b"s%02d" % client.number)))
        answer, deadline = b"", time.monotonic() + 10
        while not is_named(answer):
            for hearer, data in self._read():
                if hearer is client:
                    answer += data
                else:
                    self._take(hearer, data)
            if time.monotonic() > deadline:
                raise BenchError("a client's name was never set")

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

    def ping(self) -> None:
        """Let the older clients ping: in their protocol the server doesn't."""
        for client in self.clients.values():
            if client.older:
                self._send(client, frames.frame(b"2"))

    def _send(self, client: Client, data: bytes) -> None:
        client.unsent += data
        try:
            client.unsent = client.unsent[client.sock.send(client.unsent) :]
        except BlockingIOError:
            pass  # the next turn tries again
        except ConnectionError:
            client.unsent = b""  # its end is read in a moment

    def turn(self, timeout: float) -> None:
        """Read what there is, or comes within `timeout` seconds."""
        self.returned.clear()
        buffer, clients = self._buffer, self.clients
        last, marks, closely = b"", 0, True  # what was read, for comparing costs less than counting
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
                closely = HEADS_PING in last or not last.endswith(ENDS_MESSAGE)
            self.heard += marks
            if closely or client.closely or client.tail:
                self._read_closely(client, last)
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
        ended = data.endswith(ENDS_MESSAGE)
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


def is_named(received: bytes) -> bool:
    """Whether the answer to `setUsername` has come.

    Raises:
        BenchError: the name was refused.
    """
    answer = NAME_ANSWER.search(received)
    if answer and b'"ok":true' not in answer[1]:
        raise BenchError(f"a client's name was refused: {answer[1]!r}")
    return answer is not None
