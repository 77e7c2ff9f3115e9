"""Attack a server of the bench, on 127.0.0.1 and within bounds of time, bytes and connections.

`python -m bench.attacker PORT SECONDS ATTACK` runs one of NAMES. It prints a line when it begins,
and at its end what it sent, as JSON.

The load `attack` starts it as a process of its own (bench/attack.py). It runs at a low priority, so
that it takes no time from the client that measures.
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

from bench.load import HANDSHAKE, HANDSHAKE_3, STARTS

MB = 1_000_000
MANY = 32  # connections
NICE = 10
BURST_BYTES = 16384
"""Bytes of small pieces that are sent in one go."""
MAX_CONNECTS = 500
RECONNECT_SECONDS = 0.05
LEAST_SLEEP = 0.002  # seconds
GRACE_SECONDS = 5
"""The kernel ends the process so long after it should have ended by itself."""
SEED = 20
TURN_SECONDS = (0.05, 0.5)
"""How long a connection of the mixture goes on with one attack."""

CONTINUATION, TEXT, PING, PONG = 0, 1, 9, 10
ENGINE = "/socket.io/?EIO=4&transport=polling"
PAGE = "/healthz"
"""A cheap page of the chat; the other servers answer 404, which is as cheap."""
SCRIPT = re.compile(rb"/static/[^\"]*/vendor/socket.io.esm.min.js")
CLIENT = b"/socket.io/socket.io.js"
"""The large file of a server that has no page."""


class Attack(NamedTuple):
    """What each of `connections` sends, after a WebSocket's `handshake` if there is one.

    `pieces(port)`: each is written by itself; after the last one the connection stays open.
    `rate` (bytes a second) and `most` (bytes) are those of all connections together. `reads`:
    whether the answers are read.
    """

    pieces: Callable[[int], Iterator[bytes]]
    rate: float = MB
    handshake: bytes = b""
    most: int = 400 * MB
    connections: int = 1
    reads: bool = True


def request(method: str, path: str | bytes, *headers: str) -> bytes:
    target = path.decode() if isinstance(path, bytes) else path
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode()


def frame(payload: bytes = b"", opcode: int = TEXT, final: bool = True) -> bytes:
    """A frame with a mask of zeros, under which the payload stays as it is."""
    size = len(payload)
    head = bytes([final << 7 | opcode])
    if size < 126:
        return head + bytes([0x80 | size]) + bytes(4) + payload
    return head + b"\xfe" + size.to_bytes(2, "big") + bytes(4) + payload


def burst(unit: bytes) -> bytes:
    """As many units as fit in one write."""
    return unit * max(1, BURST_BYTES // len(unit))


# HTTP


def pipelined_pages(_port: int) -> Iterator[bytes]:
    return itertools.repeat(burst(request("GET", PAGE)))


def pipelined_handshakes(_port: int) -> Iterator[bytes]:
    return itertools.repeat(burst(request("GET", ENGINE)))


def unread_files(port: int) -> Iterator[bytes]:
    """So few that a server that keeps the answers in memory has room for them."""
    return iter([request("GET", large_file(port)) * 100])


def chunks_to(path: str) -> Callable[[int], Iterator[bytes]]:
    """A request whose body of one-byte chunks never ends."""

    def pieces(_port: int) -> Iterator[bytes]:
        yield request("POST", path, "Transfer-Encoding: chunked")
        yield from itertools.repeat(burst(b"1\r\nx\r\n"))

    return pieces


def large_body(_port: int) -> Iterator[bytes]:
    yield request("POST", PAGE, "Content-Length: 1000000000000")
    yield from itertools.repeat(bytes(BURST_BYTES))


@cache
def large_file(port: int) -> bytes:
    """The path of a large answer."""
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
    """The same frame over and over."""

    def pieces(_port: int) -> Iterator[bytes]:
        yield first
        yield from itertools.repeat(burst(unit))

    return pieces


def one_by_one(unit: bytes) -> Callable[[int], Iterator[bytes]]:
    """The same frame over and over, each written by itself."""
    return lambda _port: itertools.chain([CONNECT], itertools.repeat(unit))


def one_byte_segments(_port: int) -> Iterator[bytes]:
    """Long frames, each byte of which is a TCP segment."""
    whole = frame(b'42["nothing","' + b"x" * 60_000 + b'"]')
    return itertools.chain([CONNECT], itertools.cycle([bytes([byte]) for byte in whole]))


BIG_ACK = frame(b"431[" + b"1," * 31_990 + b'"\\ud800"]')
HISTORY = frame(b'42["history",{"limit":200}]')
HISTORY_RATE = MANY * 18 * len(HISTORY)
"""18 a second for each connection; the chat allows 20 events."""

ATTACKS = {
    "pipelined pages": Attack(pipelined_pages),
    "pipelined pages, 32 connections": Attack(pipelined_pages, connections=MANY),
    "pipelined handshakes": Attack(pipelined_handshakes, most=4 * MB),
    "one-byte chunks to the engine": Attack(chunks_to(ENGINE)),
    "one-byte chunks to a page": Attack(chunks_to(PAGE)),
    "a large body": Attack(large_body, rate=50 * MB),
    "files that are never read, 32 connections": Attack(
        unread_files, connections=MANY, reads=False
    ),
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
MIXTURE_RATE, MIXTURE_MOST = 2 * MB, 100 * MB


class Flood:
    """Connections that send until `until`, within the bounds; what they did."""

    def __init__(self, port: int, until: float, most: int) -> None:
        self.port = port
        self.until = until
        self.most = most
        self.bytes = 0
        self.connects = 0
        self.cut = 0

    async def run(self, attack: Attack) -> None:
        """Attack over all connections of `attack`."""
        rate = attack.rate / attack.connections
        several = (
            self._go_on(lambda: (attack, self.until), rate) for _ in range(attack.connections)
        )
        await asyncio.gather(*several)

    async def run_mixture(self) -> None:
        """Have each of many connections choose one attack after another at random."""
        rng = random.Random(SEED)  # noqa: S311 (not a secret)

        def choose() -> tuple[Attack, float]:
            attack = rng.choice(list(ATTACKS.values()))
            return attack, min(self.until, time.monotonic() + rng.uniform(*TURN_SECONDS))

        await asyncio.gather(*(self._go_on(choose, MIXTURE_RATE / MANY) for _ in range(MANY)))

    async def _go_on(self, choose: Callable[[], tuple[Attack, float]], rate: float) -> None:
        """Attack over one connection after another: `choose()` gives the attack, and its end."""
        while time.monotonic() < self.until and self.connects < MAX_CONNECTS:
            attack, until = choose()
            self.connects += 1
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._attack(attack, min(rate, attack.rate))
            except TimeoutError:
                continue
            except (OSError, EOFError):
                self.cut += 1
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _attack(self, attack: Attack, rate: float) -> None:
        """Send over one connection until the caller's time is up.

        Raises:
            OSError, EOFError: the server has refused or ended the connection.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading: asyncio.Task[None] | None = None
        try:
            if attack.handshake:
                writer.write(attack.handshake)
                if not (await reader.readuntil(b"\r\n\r\n")).startswith(STARTS):
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
                if self.bytes > self.most:
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
    large_file(port)  # asked before the server is busy
    print("ready", flush=True)
    until = time.monotonic() + seconds
    if name == MIXTURE:
        flood = Flood(port, until, MIXTURE_MOST)
        await flood.run_mixture()
    else:
        flood = Flood(port, until, ATTACKS[name].most)
        await flood.run(ATTACKS[name])
    sent = {"bytes": flood.bytes, "connects": flood.connects, "cut": flood.cut}
    print(json.dumps(sent | {"cpu": time.process_time()}))


if __name__ == "__main__":
    os.nice(NICE)
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]) + GRACE_SECONDS)
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
