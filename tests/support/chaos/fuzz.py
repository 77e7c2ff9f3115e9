"""Fuzz a server while two other clients, the bystanders, send messages (`make fuzz`).

The run fails if:

- a bystander loses a message or waits too long for one;
- the server doesn't close a flooding connection;
- memory grows, or connections, greenlets, timers or names leak;
- the server logs a traceback.

The run is bounded in time and in attacks, and connects to 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import random
import shutil
import socket
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.chaos.fuzz_eio3 import Engine3Attacks
from support.chaos.fuzz_http import HttpAttacks
from support.clients import SocketIOClient
from support.raw import Polling, RawWebSocket, frame, handshake, request
from support.servers import KINDS, UNLIMITED, Server

SETTINGS = {**UNLIMITED, "EVENT_LIMIT": "400/10", "PING_INTERVAL": "3", "PING_TIMEOUT": "2"}
"""A bystander sends up to 250 events in 10 s.

The limit also allows 6,000 frames or requests in that time.
"""
MAX_LATENCY = 5.0
"""Seconds that a bystander's message may take on a busy machine."""
NAMES = ("Bystander 1", "Bystander 2")
SWITCH_SECONDS = 0.0005
"""Seconds after which the attacks' thread yields the interpreter lock to the bystanders'."""
MAX_PENDING = 32
"""HTTP attacks that may be in progress at once."""
PACKETS = [
    *["0", "1", "2", "2probe", "3", "3probe", "4", "5", "6", "40", "41", "42[]", '42["msg"]'],
    *['42["msg",{"message":"hi"}]', '421["setUsername","Fuzz"]', '42["join",{"limit":5}]'],
    *['451-["msg",{"_placeholder":true,"num":0}]', "bAAEC", "44", "430[]", "40/admin,", "x", ""],
    *['42["disconnect","x"]', '42["connect"]', "421[" * 20, '42["\\ud800"]', "42/é,[]"],
]
"""Valid, malformed and unexpected packets, which mutations start from."""


class Fuzzer:
    """Random attacks from one seed."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.attacks = [self.frames, self.packets, self.bodies, self.handshakes, self.requests]
        self.attacks += [self.upgrades, *Engine3Attacks(self).attacks]
        self.http = HttpAttacks(self)
        self.started = 0
        self.pending: list[Iterator[None]] = []

    def attack(self) -> None:
        """Start an attack or continue a pending one. The server may close its connection."""
        with contextlib.suppress(OSError, AssertionError, ValueError, EOFError):
            if len(self.pending) == MAX_PENDING or self.random.random() < len(self.pending) / 40:
                self.continue_one()
                return
            self.started += 1
            if self.random.random() < 0.5:
                self.pending.append(self.random.choice(self.http.attacks)())
            else:
                self.random.choice(self.attacks)()

    def continue_one(self) -> None:
        """Continue a pending attack until it yields or ends."""
        attack = self.pending.pop(self.random.randrange(len(self.pending)))
        for _ in attack:
            self.pending.append(attack)
            return

    def end(self) -> None:
        """Stop the pending attacks."""
        for attack in self.pending:
            attack.close()

    def mutated(self, data: bytes) -> bytes:
        """Return `data` with some bytes changed, dropped, repeated or added."""
        changed = bytearray(data)
        for _ in range(self.random.choice([0, 1, 1, 2, 5])):
            place = self.random.randrange(len(changed) + 1)
            how = self.random.randrange(4)
            if how == 0 and place < len(changed):
                changed[place] = self.random.randrange(256)
            elif how == 1:
                del changed[place : place + self.random.randrange(1, 4)]
            elif how == 2:
                changed[place:place] = changed[place : place + 8]
            else:
                changed[place:place] = self.random.randbytes(self.random.randrange(1, 6))
        return bytes(changed)

    def packet(self) -> bytes:
        return self.mutated(self.random.choice(PACKETS).encode())

    def frames(self) -> None:
        client = self.websocket()
        self.send_frames(client)
        self.disconnect(client)

    def send_frames(self, client: RawWebSocket) -> None:
        for _ in range(self.random.randrange(1, 10)):
            opcode = self.random.choice([0, 1, 1, 1, 2, 8, 9, 10, self.random.randrange(16)])
            fin, rsv = self.random.random() < 0.8, self.random.choice([0, 0, 0, 0, 1, 4])
            whole = frame(self.packet(), opcode, fin, rsv, mask=self.random.random() < 0.95)
            client.send_raw(self.mutated(whole) if self.random.random() < 0.5 else whole)

    def packets(self) -> None:
        client = self.websocket()
        for _ in range(self.random.randrange(1, 30)):
            client.send_raw(frame(self.packet(), self.random.choice([1, 1, 1, 2])))
        self.disconnect(client)

    def upgrades(self) -> None:
        self.upgrade(Polling(self.server))

    def upgrade(self, session: Any) -> None:
        path = session.path.replace("polling", "websocket")
        probes = []
        for _ in range(self.random.choice([1, 1, 2, 5])):
            with contextlib.suppress(AssertionError):  # refused
                probes.append(self.websocket(connect=False, path=path))
        steps = [b"2probe", b"5", b"40", self.packet()]
        for _ in range(self.random.randrange(1, 8)):
            step = self.random.choice([*steps, session])
            if step is session:
                session.post(self.packet())
            else:
                whole = frame(step if self.random.random() < 0.8 else self.mutated(step))
                self.random.choice(probes).send_raw(whole)
        for probe in probes:
            self.disconnect(probe)

    def websocket(self, **how: Any) -> RawWebSocket:
        client = RawWebSocket(self.server, **{"connect": self.random.random() < 0.8, **how})
        client.sock.settimeout(0.05)
        return client

    def disconnect(self, client: RawWebSocket) -> None:
        if self.random.random() < 0.5:
            with contextlib.suppress(OSError):
                client.sock.recv(65536)
        client.close()

    def bodies(self) -> None:
        session = Polling(self.server, connect=self.random.random() < 0.8)
        for _ in range(self.random.randrange(1, 5)):
            count = self.random.choice([1, 1, 3, 20, 200])
            session.post(b"\x1e".join(self.packet() for _ in range(count)))
        if self.random.random() < 0.7:
            session.post("1")

    def handshakes(self) -> None:
        path = self.random.choice(
            ["/socket.io/?EIO=4&transport=websocket", "/socket.io/?EIO=4&transport=polling"]
        )
        self.send(self.mutated(handshake(self.server, path)))

    def requests(self) -> None:
        method = self.random.choice([b"GET", b"POST", b"OPTIONS", b"PUT"])
        sid = self.random.choice(
            [b"", b"&sid=unknown", b"&sid=" + self.random.randbytes(4).hex().encode()]
        )
        line = method + b" /socket.io/?EIO=4&transport=polling" + sid + b" HTTP/1.1\r\n"
        self.send(self.mutated(line + b"Host: x\r\nContent-Length: 2\r\n\r\n40"))

    def send(self, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=0.2) as link:
            link.sendall(data)
            link.recv(4096)


class Bystander(SocketIOClient):
    """A client that queues the texts of the bystanders' messages."""

    def __init__(self, url: str, transport: str) -> None:
        self.texts: queue.SimpleQueue[str] = queue.SimpleQueue()
        super().__init__(url, transport)

    def _record(self, event: str, *arguments: Any) -> None:
        super()._record(event, *arguments)
        if event == "newmsg" and arguments[0]["user"] in NAMES:
            self.texts.put(arguments[0]["message"])


class Bystanders:
    """Two clients that send messages in turn; each must reach both, in order and in time."""

    def __init__(self, server: Server) -> None:
        self.clients = [Bystander(server.url, "websocket"), Bystander(server.url, "polling")]
        self.latencies: list[float] = []
        self.is_running = True
        self.pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Bystanders:
        for client, name in zip(self.clients, NAMES, strict=True):
            assert client.set_name(name)["ok"]
        self.chatting = self.pool.submit(self.chat)
        return self

    def chat(self) -> None:
        while self.is_running:
            begun, text = time.monotonic(), f"message {len(self.latencies)}"
            sender = self.clients[len(self.latencies) % 2]
            assert sender.call("msg", {"message": text})["ok"]
            for client in self.clients:
                received = client.texts.get(timeout=20)
                assert received == text, f"a bystander received {received!r}, not {text!r}"
            self.latencies.append(time.monotonic() - begun)
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.is_running = False
        self.pool.shutdown()
        self.chatting.result()

    def check(self) -> None:
        """Assert that no message came too late or twice."""
        assert all(client.texts.empty() for client in self.clients)
        assert max(self.latencies) < MAX_LATENCY, f"a message took {max(self.latencies):.1f} s"

    def report(self) -> str:
        """Summarise the latencies, from sending a message until both clients have received it."""
        percentiles = statistics.quantiles(self.latencies, n=100, method="inclusive")
        times = [percentiles[49], percentiles[98], max(self.latencies)]
        shown = ", ".join(f"{1000 * seconds:.0f}" for seconds in times)
        return f"{len(self.latencies)} messages of bystanders (median, p99, max: {shown} ms)"


def resident_kib(server: Server) -> int:
    """Return the memory that the worker process uses, in KiB.

    The allocator keeps freed memory for each thread, so that the resident memory under Flask's
    server grows without a leak. `count_alive` makes the process return that memory first.
    """
    count_alive(server)
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    pid = children.split()[0] if children.split() else server.process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def count_alive(server: Server) -> dict[str, int]:
    """Return the numbers of live objects in the worker process (support.apps.watched)."""
    counts: dict[str, int] = json.loads(request(server, "GET", "/alive")[2])
    return counts


def find_leaks(server: Server, before: dict[str, int]) -> dict[str, int]:
    """Wait up to 20 s until no more objects are alive than `before`; return the excess."""
    deadline = time.monotonic() + 20
    while True:
        now = count_alive(server)
        more = {kind: now[kind] - before[kind] for kind in now if now[kind] > before[kind]}
        if not more or time.monotonic() > deadline:
            return more
        time.sleep(0.5)


def count_names(server: Server) -> int:
    session = Polling(server)
    session.post('421["join"]')
    return int(session.poll()[1].split('"count":')[1].split(",")[0])


def fuzz(server: Server, seed: int, seconds: float, attacks: int) -> str:
    """Fuzz a server until `seconds` or `attacks` is reached, and return a summary."""
    fuzzer, begun = Fuzzer(server, seed), time.monotonic()
    count_names(server)  # the first request opens files that stay open
    alive_before = count_alive(server)
    with Bystanders(server) as bystanders:
        share, before = 0.0, 0
        while (fuzzer.started < 200 or share < 1) and not bystanders.chatting.done():
            fuzzer.attack()
            share = max(fuzzer.started / attacks, (time.monotonic() - begun) / seconds)
            has_full_log = fuzzer.started >= 200 and share >= 0.25
            if not before and has_full_log:
                before = resident_kib(server)
        after = resident_kib(server)
        fuzzer.end()
    bystanders.check()
    for client in bystanders.clients:
        client.disconnect()
    found = server.new_tracebacks()
    assert not found, f"{len(found)} tracebacks; the first:\n{found[0][:3000]}"
    assert not (leaks := find_leaks(server, alive_before)), f"leaked: {leaks}"
    assert count_names(server) == 0
    assert after - before < 20_000, f"resident memory grew by {after - before} KiB"
    return (
        f"{server.kind}: {fuzzer.started} attacks, {bystanders.report()}; floods: "
        f"{dict(fuzzer.http.floods)}; resident memory {before} KiB, then {after} KiB; "
        f"no leaks of {list(alive_before)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each kind of server")
    parser.add_argument(
        "--attacks", type=int, default=10**9, help="at most, for each kind of server"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--kind", choices=KINDS, action="append", help="one kind of server only")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECONDS)
    print(f"seed {options.seed}", flush=True)
    failed = 0
    for kind in options.kind or KINDS:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        server = Server(kind, folder, SETTINGS, module="support.apps.watched")
        try:
            print(fuzz(server, options.seed, options.seconds, options.attacks), flush=True)
            shutil.rmtree(folder)
        except Exception:
            failed = 1
            print(f"{kind} failed, see {server.log}:\n{traceback.format_exc()}", flush=True)
        finally:
            server.stop()
    return failed


if __name__ == "__main__":
    sys.exit(main())
