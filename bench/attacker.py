"""Attack a server of the bench within limits of time, bytes and connections.

`python -m bench.attacker PORT SECONDS ATTACK` runs one of NAMES against 127.0.0.1. It prints a line
when it starts, and the amounts that it sent as JSON at its end.

The load `attack` (bench/attack.py) runs it as a separate process. Its priority is low, so that it
takes no CPU time from the measuring clients.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from bench.clients import HANDSHAKE, HANDSHAKE_3, SWITCHING

MB = 1_000_000
MANY = 32  # connections
NICE = 10
BURST_BYTES = 16384
"""Size of a write of many small units."""
MAX_CONNECTS = 500
RECONNECT_SECONDS = 0.05
LEAST_SLEEP = 0.002  # seconds
GRACE_SECONDS = 5
"""Seconds after which the kernel ends a process that has not ended by itself."""
SEED = 20
MIXTURE_SECONDS = (0.05, 0.5)
"""Seconds that a connection of the mixture continues one attack, at least and at most."""

CONTINUATION, TEXT, PING, PONG = 0, 1, 9, 10
ENGINE = "/socket.io/?EIO=4&transport=polling"
PAGE = "/healthz"
"""A cheap page of the chat; the other servers answer 404 at the same cost."""
SCRIPT = re.compile(rb"/static/[^\"]*/vendor/socket.io.esm.min.js")
CLIENT = b"/socket.io/socket.io.js"
"""The large file of a server without a page."""


class Attack(NamedTuple):
    """The data that each of `connections` sends.

    `pieces(port)` yields the writes; after the last one the connection stays open. `rate` (bytes a
    second) and `max_bytes` are limits of all connections together. `handshake` is that of a
    WebSocket, if any. `reads` is whether the attacker reads the responses.
    """

    pieces: Callable[[int], Iterator[bytes]]
    rate: float = MB
    handshake: bytes = b""
    max_bytes: int = 400 * MB
    connections: int = 1
    reads: bool = True


def request(method: str, path: str | bytes, *headers: str) -> bytes:
    target = path.decode() if isinstance(path, bytes) else path
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode()


def frame(payload: bytes = b"", opcode: int = TEXT, final: bool = True) -> bytes:
    """Encode a frame with a mask of zeros, which leaves the payload unchanged."""
    size = len(payload)
    head = bytes([final << 7 | opcode])
    if size < 126:
        return head + bytes([0x80 | size]) + bytes(4) + payload
    return head + b"\xfe" + size.to_bytes(2, "big") + bytes(4) + payload


def burst(unit: bytes) -> bytes:
    """Repeat a unit up to the size of one write."""
    return unit * max(1, BURST_BYTES // len(unit))


# HTTP


def pipelined_pages(_port: int) -> Iterator[bytes]:
    return itertools.repeat(burst(request("GET", PAGE)))


def pipelined_handshakes(_port: int) -> Iterator[bytes]:
    return itertools.repeat(burst(request("GET", ENGINE)))


def unread_files(port: int) -> Iterator[bytes]:
    """Request few enough files that a server can hold all responses in memory."""
    return iter([request("GET", large_file(port)) * 100])


def chunks_to(path: str) -> Callable[[int], Iterator[bytes]]:
    """Send a request with an endless body of one-byte chunks."""

    def pieces(_port: int) -> Iterator[bytes]:
        yield request("POST", path, "Transfer-Encoding: chunked")
        yield from itertools.repeat(burst(b"1\r\nx\r\n"))

    return pieces


def large_body(_port: int) -> Iterator[bytes]:
    yield request("POST", PAGE, "Content-Length: 1000000000000")
    yield from itertools.repeat(bytes(BURST_BYTES))


@cache
def large_file(port: int) -> bytes:
    """Return the path of a large file."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.sendall(request("GET", "/", "Connection: close"))
        page = b""
        while received := link.recv(BURST_BYTES):
            page += received
    found = SCRIPT.search(page)
    return found[0] if found else CLIENT


# WebSocket


CONNECT = frame(b"40")


def flood(unit: bytes, first: bytes = CONNECT) -> Callable[[int], Iterator[bytes]]:
    """Send one frame repeatedly."""

    def pieces(_port: int) -> Iterator[bytes]:
        yield first
        yield from itertools.repeat(burst(unit))

    return pieces


def one_by_one(unit: bytes) -> Callable[[int], Iterator[bytes]]:
    """Send one frame repeatedly, each in its own write."""
    return lambda _port: itertools.chain([CONNECT], itertools.repeat(unit))


def one_byte_segments(_port: int) -> Iterator[bytes]:
    """Send long frames, each byte in its own TCP segment."""
    whole = frame(b'42["nothing","' + b"x" * 60_000 + b'"]')
    return itertools.chain([CONNECT], itertools.cycle([bytes([byte]) for byte in whole]))


BIG_ACK = frame(b"431[" + b"1," * 31_990 + b'"\\ud800"]')
HISTORY = frame(b'42["history",{"limit":200}]')
HISTORY_RATE = MANY * 18 * len(HISTORY)
"""18 events a second for each connection; the chat allows 20."""

ATTACKS = {
    "pipelined pages": Attack(pipelined_pages),
    "pipelined pages, 32 connections": Attack(pipelined_pages, connections=MANY),
    "pipelined handshakes": Attack(pipelined_handshakes, max_bytes=4 * MB),
    "one-byte chunks to the engine": Attack(chunks_to(ENGINE)),
    "one-byte chunks to a page": Attack(chunks_to(PAGE)),
    "a large body": Attack(large_body, rate=50 * MB),
    "unread files, 32 connections": Attack(unread_files, connections=MANY, reads=False),
    "acknowledgements": Attack(flood(frame(b"43[]")), handshake=HANDSHAKE),
    "acknowledgements, 32 connections": Attack(
        flood(frame(b"43[]")), handshake=HANDSHAKE, connections=MANY
    ),
    "large acknowledgements": Attack(flood(BIG_ACK), rate=2 * MB, handshake=HANDSHAKE),
    "Engine.IO pongs": Attack(flood(frame(b"3")), handshake=HANDSHAKE),
    "Engine.IO 3 pings": Attack(flood(frame(b"2"), first=b""), handshake=HANDSHAKE_3),
    "WebSocket pings": Attack(flood(frame(opcode=PING)), handshake=HANDSHAKE),
    "WebSocket pongs": Attack(flood(frame(opcode=PONG)), handshake=HANDSHAKE),
    "empty continuation frames": Attack(
        flood(frame(opcode=CONTINUATION, final=False), first=CONNECT + frame(final=False)),
        handshake=HANDSHAKE,
    ),
    "events over the rate": Attack(flood(frame(b'42["typing"]')), handshake=HANDSHAKE),
    "history within the rate, 32 connections": Attack(
        one_by_one(HISTORY), rate=HISTORY_RATE, handshake=HANDSHAKE, connections=MANY
    ),
    "one-byte segments": Attack(one_byte_segments, rate=5_000, handshake=HANDSHAKE),
}
MIXTURE = "a random mixture, 32 connections"
NAMES = [*ATTACKS, MIXTURE]
MIXTURE_RATE, MIXTURE_BYTES = 2 * MB, 100 * MB


class Attacker:
    """Connections that send until a time, within limits, and the amounts that they sent."""

    def __init__(self, port: int, until: float, max_bytes: int) -> None:
        self.port = port
        self.until = until
        self.max_bytes = max_bytes
        self.bytes = 0
        self.connects = 0
        self.disconnected = 0

    async def run(self, attack: Attack) -> None:
        """Run an attack over all its connections."""
        rate = attack.rate / attack.connections
        connections = (
            self._keep_attacking(lambda: (attack, self.until), rate)
            for _ in range(attack.connections)
        )
        await asyncio.gather(*connections)

    async def run_mixture(self) -> None:
        """Have each connection run one random attack after another."""
        rng = random.Random(SEED)  # noqa: S311 (not a secret)

        def choose() -> tuple[Attack, float]:
            attack = rng.choice(list(ATTACKS.values()))
            return attack, min(self.until, time.monotonic() + rng.uniform(*MIXTURE_SECONDS))

        await asyncio.gather(
            *(self._keep_attacking(choose, MIXTURE_RATE / MANY) for _ in range(MANY))
        )

    async def _keep_attacking(
        self, choose: Callable[[], tuple[Attack, float]], rate: float
    ) -> None:
        """Open one connection after another; `choose()` returns the attack and its end."""
        while time.monotonic() < self.until and self.connects < MAX_CONNECTS:
            attack, until = choose()
            self.connects += 1
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._attack(attack, min(rate, attack.rate))
            except TimeoutError:
                continue
            except (OSError, EOFError):
                self.disconnected += 1
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _attack(self, attack: Attack, rate: float) -> None:
        """Send over one connection until the caller cancels it.

        Raises:
            OSError, EOFError: the server refused or closed the connection.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading: asyncio.Task[None] | None = None
        try:
            if attack.handshake:
                writer.write(attack.handshake)
                if not (await reader.readuntil(b"\r\n\r\n")).startswith(SWITCHING):
                    raise ConnectionRefusedError
            if attack.reads:
                reading = asyncio.create_task(discard(reader))
            due = time.monotonic()
            for piece in attack.pieces(self.port):
                writer.write(piece)
                await writer.drain()
                self.bytes += len(piece)
                due += len(piece) / rate
                early = due - time.monotonic()
                await asyncio.sleep(early if early > LEAST_SLEEP else 0)  # drain() may not yield
                if reading and reading.done():
                    raise ConnectionResetError
                if self.bytes > self.max_bytes:
                    break
            await asyncio.sleep(self.until - time.monotonic())
        finally:
            if reading:
                reading.cancel()
            writer.transport.abort()


async def discard(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(BURST_BYTES):
            pass


async def main(port: int, seconds: float, name: str) -> None:
    large_file(port)  # before the server is busy
    print("ready", flush=True)
    until = time.monotonic() + seconds
    if name == MIXTURE:
        attacker = Attacker(port, until, MIXTURE_BYTES)
        await attacker.run_mixture()
    else:
        attacker = Attacker(port, until, ATTACKS[name].max_bytes)
        await attacker.run(ATTACKS[name])
    sent = {
        "bytes": attacker.bytes,
        "connects": attacker.connects,
        "disconnected": attacker.disconnected,
    }
    print(json.dumps(sent | {"cpu": time.process_time()}))


if __name__ == "__main__":
    os.nice(NICE)
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]) + GRACE_SECONDS)
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
