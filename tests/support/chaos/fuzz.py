"""The transport's fuzzer: attacks on a live server, while two bystanders chat (make fuzz).

Bounded in time and in number; talks to this machine alone. It fails if a bystander loses a message
or waits too long for one, a flood isn't cut, memory grows, a traceback is logged, or connections,
greenlets, timers or names are left over.
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

from support.chaos.fuzz_eio3 import Older
from support.chaos.fuzz_http import Http
from support.clients import SocketIOClient
from support.raw import Polling, RawWebSocket, frame, handshake, request
from support.servers import KINDS, UNLIMITED, Server

SETTINGS = {**UNLIMITED, "EVENT_LIMIT": "400/10", "PING_INTERVAL": "3", "PING_TIMEOUT": "2"}
"""A bystander sends up to 250 events in 10 s; the meter allows 6,000 frames and requests."""
TRIP_SECONDS = 5.0
"""How long a bystander's message may take at most, on a machine that does other things."""
NAMES = ("Bystander 1", "Bystander 2")
PARSING = {"gevent-websocket": "read_request", "flask": "make_environ"}
"""Functions of servers that log a traceback of what they can't parse."""
SWITCH_SECONDS = 0.0005
"""How long attacks keep Python to themselves while the bystanders' threads wait for it."""
UNDER_WAY = 32
"""How many attacks over HTTP may be under way at once."""
PACKETS = [
    *["0", "1", "2", "2probe", "3", "3probe", "4", "5", "6", "40", "41", "42[]", '42["msg"]'],
    *['42["msg",{"message":"hi"}]', '421["setUsername","Fuzz"]', '42["join",{"limit":5}]'],
    *['451-["msg",{"_placeholder":true,"num":0}]', "bAAEC", "44", "430[]", "40/admin,", "x", ""],
    *['42["disconnect","x"]', '42["connect"]', "421[" * 20, '42["\\ud800"]', "42/é,[]"],
]
"""What mutations start from: packets whole, broken and out of place."""


class Fuzzer:
    """Attacks of all kinds, from one seed."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.attacks = [self.frames, self.packets, self.bodies, self.handshakes, self.requests]
        self.attacks += [self.upgrades, *Older(self).attacks]
        self.http = Http(self)
        self.begun = 0
        self.under_way: list[Iterator[None]] = []

    def attack(self) -> None:
        """Begin an attack, or go on with one over HTTP. The server may end its connection."""
        with contextlib.suppress(OSError, AssertionError, ValueError, EOFError):
            if len(self.under_way) == UNDER_WAY or self.random.random() < len(self.under_way) / 40:
                self.go_on()
                return
            self.begun += 1
            if self.random.random() < 0.5:
                self.under_way.append(self.random.choice(self.http.attacks)())
            else:
                self.random.choice(self.attacks)()

    def go_on(self) -> None:
        """Go on with one of the attacks that are under way, until it yields or ends."""
        attack = self.under_way.pop(self.random.randrange(len(self.under_way)))
        for _ in attack:
            self.under_way.append(attack)
            return

    def end(self) -> None:
        """End the attacks that are under way."""
        for attack in self.under_way:
            attack.close()

    def mutated(self, data: bytes) -> bytes:
        """`data` with some of its bytes changed, dropped, doubled or added."""
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
        self.leave(client)

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
        self.leave(client)

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
            self.leave(probe)

    def websocket(self, **how: Any) -> RawWebSocket:
        client = RawWebSocket(self.server, **{"connect": self.random.random() < 0.8, **how})
        client.sock.settimeout(0.05)
        return client

    def leave(self, client: RawWebSocket) -> None:
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
    """A client that takes what the bystanders say, message by message."""

    def __init__(self, url: str, transport: str) -> None:
        self.news: queue.SimpleQueue[str] = queue.SimpleQueue()
        super().__init__(url, transport)

    def _record(self, event: str, *arguments: Any) -> None:
        super()._record(event, *arguments)
        if event == "newmsg" and arguments[0]["user"] in NAMES:
            self.news.put(arguments[0]["message"])


class Bystanders:
    """Two clients that chat throughout: each message comes to both, in order and in time."""

    def __init__(self, server: Server) -> None:
        self.people = [Bystander(server.url, "websocket"), Bystander(server.url, "polling")]
        self.trips: list[float] = []
        self.going = True
        self.pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Bystanders:
        for person, name in zip(self.people, NAMES, strict=True):
            assert person.set_name(name)["ok"]
        self.chatting = self.pool.submit(self.chat)
        return self

    def chat(self) -> None:
        while self.going:
            begun, text = time.monotonic(), f"message {len(self.trips)}"
            speaker = self.people[len(self.trips) % 2]
            assert speaker.call("msg", {"message": text})["ok"]
            for person in self.people:
                heard = person.news.get(timeout=20)
                assert heard == text, f"a bystander heard {heard!r}, not {text!r}"
            self.trips.append(time.monotonic() - begun)
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.going = False
        self.pool.shutdown()
        self.chatting.result()

    def check(self) -> None:
        """Fail if a message was late, or came twice."""
        assert all(person.news.empty() for person in self.people)
        assert max(self.trips) < TRIP_SECONDS, f"a message took {max(self.trips):.1f} s"

    def report(self) -> str:
        """How long messages took, from being sent until both have heard them."""
        percentiles = statistics.quantiles(self.trips, n=100, method="inclusive")
        times = [percentiles[49], percentiles[98], max(self.trips)]
        shown = ", ".join(f"{1000 * seconds:.0f}" for seconds in times)
        return f"{len(self.trips)} messages of bystanders, none lost (median, p99, max: {shown} ms)"


def tracebacks(server: Server) -> list[str]:
    """Those in the log, but for what a server logs of a request that it can't parse."""
    found = server.log.read_text(errors="replace").split("Traceback (most recent call last)")[1:]
    parsing = PARSING.get(server.kind)
    return [text for text in found if not parsing or f", in {parsing}\n" not in text]


def resident_kib(server: Server) -> int:
    """The resident memory of the process that serves, in KiB."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    pid = children.split()[0] if children.split() else server.process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def alive(server: Server) -> dict[str, int]:
    """What is alive in the process that serves, by kind."""
    counts: dict[str, int] = json.loads(request(server, "GET", "/alive")[2])
    return counts


def left_over(server: Server, at_first: dict[str, int]) -> dict[str, int]:
    """What there is more of than `at_first`, once that is nothing or 20 s have gone by."""
    deadline = time.monotonic() + 20
    while True:
        now = alive(server)
        more = {kind: now[kind] - at_first[kind] for kind in now if now[kind] > at_first[kind]}
        if not more or time.monotonic() > deadline:
            return more
        time.sleep(0.5)


def names_left(server: Server) -> int:
    session = Polling(server)
    session.post('421["join"]')
    return int(session.poll()[1].split('"count":')[1].split(",")[0])


def fuzz(server: Server, seed: int, seconds: float, attacks: int) -> str:
    """Fuzz `server` until either bound is reached; a line on what was seen."""
    fuzzer, begun = Fuzzer(server, seed), time.monotonic()
    names_left(server)  # opens what is opened once
    at_first = alive(server)
    with Bystanders(server) as bystanders:
        share = 0.0
        while (fuzzer.begun < 200 or share < 1) and not bystanders.chatting.done():
            fuzzer.attack()
            share = max(fuzzer.begun / attacks, (time.monotonic() - begun) / seconds)
            if fuzzer.begun <= 200 or share < 0.25:  # by then the log is as long as it gets
                before = resident_kib(server)
        after = resident_kib(server)
        fuzzer.end()
    bystanders.check()
    for person in bystanders.people:
        person.disconnect()
    found = tracebacks(server)
    assert not found, f"{len(found)} tracebacks; the first:\n{found[0][:3000]}"
    assert not (more := left_over(server, at_first)), f"left over: {more}"
    assert names_left(server) == 0
    assert after - before < 20_000, f"resident memory grew by {after - before} KiB"
    return (
        f"{server.kind}: {fuzzer.begun} attacks, {bystanders.report()}; floods: "
        f"{dict(fuzzer.http.floods)}; resident memory {before} KiB, then {after} KiB; "
        f"nothing left over of {list(at_first)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each kind of server")
    parser.add_argument("--attacks", type=int, default=10**9, help="at most")
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
            print(f"{kind}, see {server.log}:\n{traceback.format_exc()}", flush=True)
        finally:
            server.stop()
    return failed


if __name__ == "__main__":
    sys.exit(main())
