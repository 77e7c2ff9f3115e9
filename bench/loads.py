"""The loads: what each does to a server, and the figures that it gives."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from functools import cache
from itertools import count
from typing import NamedTuple

from bench import machine
from bench.attack import BYSTANDERS, attack
from bench.back import back
from bench.errors import BenchError
from bench.load import Crowd
from bench.measure import Figures, Stretch, quiet
from bench.servers import ALONE, ROOT, Server

WARM_UP = 1.5  # seconds at least
LISTENERS = 20
RATES = (500, 1000, 2000, 3000, 4000, 5000)  # messages a second
RATE_P99 = 20.0  # milliseconds
SIZES = (2000, 4000, 8000)  # clients
NEWMSG_BYTES = 155
ARRIVING = 100  # clients that connect at the same time
TURNS, BLOCKS = 3, 10
STALLED = 30.0  # seconds, at most, until the kernel holds all that it will for who doesn't read


class Load(NamedTuple):
    what: str  # with {clients}
    run: Callable[[Server, float, int], Figures]
    clients: int
    servers: Collection[str] = ALONE
    module: str = "wsgi"  # of this chat's app
    limited: bool = False  # whether this chat has its own limits, as where it is deployed


@contextlib.contextmanager
def crowded(server: Server, clients: int, senders: int) -> Iterator[Crowd]:
    with Crowd(*server.ports) as crowd:
        crowd.connect(clients)
        crowd.cast(senders, min(LISTENERS, clients - senders))
        gc.collect()
        gc.freeze()
        yield crowd


def alone(server: Server, seconds: float, clients: int) -> Figures:
    with crowded(server, clients, senders=1) as crowd:
        one_by_one(crowd, WARM_UP)
        stretch = Stretch(server, crowd)
        one_by_one(crowd, seconds)
        return stretch.end()


def one_by_one(crowd: Crowd, seconds: float) -> None:
    """Say the next message once all have heard the last."""
    until = time.monotonic() + seconds
    while (said := time.monotonic()) < until:
        wanted = crowd.heard + len(crowd.clients)
        crowd.say(crowd.senders[0])
        while crowd.heard < wanted and not crowd.cut and time.monotonic() < said + 10:
            crowd.turn(0.1)
        if crowd.cut or crowd.heard < wanted:
            raise BenchError("not everyone heard a message")


def in_flight(senders: int, flight: int) -> Callable[[Server, float, int], Figures]:
    """The load of so many `senders`, each with `flight` messages under way."""

    def run(server: Server, seconds: float, clients: int) -> Figures:
        with crowded(server, clients, senders) as crowd:
            take_off(crowd, flight)
            stretch = Stretch(server, crowd)
            carry_on(crowd, seconds)
            return stretch.end()

    return run


def mixed(server: Server, seconds: float, clients: int) -> Figures:
    """What today's clients hear among themselves, and where half of all are older, in turns."""
    ends: dict[bool, list[Figures]] = {False: [], True: []}
    for turn in range(2 * TURNS):
        with Crowd(*server.ports) as crowd:
            for block in range(2 * BLOCKS):  # who is written to first hears first
                crowd.connect(clients // (2 * BLOCKS), older=bool(turn % 2 and block % 2))
            crowd.cast(4, LISTENERS)
            take_off(crowd, flight=4)
            crowd.ping()
            stretch = Stretch(server, crowd)
            carry_on(crowd, seconds / 2)
            ends[bool(turn % 2)].append(stretch.end())
    before, after = (
        {name: statistics.median(end[name] for end in each) for name in each[0]}
        for each in ends.values()
    )
    kept = {f"{name}_kept": after[name] / before[name] for name in ("deliveries", "median", "cpu")}
    return after | kept | worst(before, after)


def take_off(crowd: Crowd, flight: int) -> None:
    """Say the first messages; when those are through, latencies are steady."""
    for _ in range(flight):
        for sender in crowd.senders:
            crowd.say(sender)
    began = time.monotonic()
    carry_on(crowd, WARM_UP)
    while (
        any(sender.said < 2 * flight for sender in crowd.senders) and time.monotonic() < began + 20
    ):
        carry_on(crowd, 0.1)


def carry_on(crowd: Crowd, seconds: float) -> None:
    """Whoever hears a message of its own says the next."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        crowd.turn(0.1)
        for sender in crowd.returned:
            crowd.say(sender)


def growth(server: Server, seconds: float, _clients: int) -> Figures:
    figures: Figures = {}
    for size in SIZES:
        end = LOADS["crowd"].run(server, seconds / 2, size)
        figures |= {f"{name}#{size}": end[name] for name in ("deliveries", "cpu", "median", "p99")}
        figures |= worst(figures, end)
    return figures


def worst(one: Figures, other: Figures) -> Figures:
    """Of what disturbs a measurement."""
    disturbing = ("cut", "load_share", "others_share")
    return {name: max(one.get(name, 0), other[name]) for name in disturbing}


def stall(server: Server, seconds: float, clients: int) -> Figures:
    with crowded(server, clients, senders=4) as crowd:
        take_off(crowd, flight=4)
        files = server.open_files()
        stretch = Stretch(server, crowd)
        carry_on(crowd, seconds)
        before = stretch.end()
        crowd.stall(clients // 3)
        stretch = Stretch(server, crowd)
        carry_on(crowd, seconds)
        each = stretch.end()["deliveries"] / (clients - clients // 3) * NEWMSG_BYTES
        until = time.monotonic() + STALLED - seconds
        while each * STALLED > machine.send_buffer() and time.monotonic() < until:
            if files - server.open_files() >= clients // 3:
                break
            carry_on(crowd, 1)
        after = stretch.end()
        return after | {
            "before": before["p99"],
            "growth": after["p99"] / before["p99"],
            "let_go": files - server.open_files(),
        }


def rate(server: Server, seconds: float, clients: int) -> Figures:
    figures: Figures = {"rate": 0}
    with crowded(server, clients, senders=10) as crowd:
        open_rate(crowd, RATES[0], WARM_UP)
        for step in RATES:
            stretch = Stretch(server, crowd)
            kept_up = open_rate(crowd, step, seconds / 2)
            end = stretch.end()
            figures |= {f"{name}@{step}": end[name] for name in ("median", "p99")}
            figures |= worst(figures, end)
            if crowd.cut or not kept_up:
                break
            if end["p99"] <= RATE_P99:
                figures["rate"] = step
    return figures


def open_rate(crowd: Crowd, messages: int, seconds: float) -> bool:
    """Say so many `messages` a second; whether all was heard at most half a second later."""
    began = time.monotonic()
    said, wanted = 0, crowd.heard
    while (passed := time.monotonic() - began) < seconds and crowd.senders:
        while said < passed * messages:
            crowd.say(crowd.senders[said % len(crowd.senders)])
            said += 1
        crowd.turn(max(0.0, began + said / messages - time.monotonic()))
    wanted += said * len(crowd.clients)
    while crowd.heard < wanted and time.monotonic() < began + seconds + 0.5:
        crowd.turn(0.05)
    return crowd.heard >= wanted


def idle(server: Server, _seconds: float, clients: int) -> Figures:
    with Crowd(*server.ports) as first:  # what is loaded once isn't a connection's
        first.connect(200)
    for _ in quiet(server):
        pass
    with Crowd(*server.ports) as crowd:
        files, memory = server.open_files(), server.memory()
        stretch = Stretch(server, crowd)
        cpu = server.cpu()
        crowd.connect(clients)
        for _ in quiet(server):
            crowd.turn(0)
        return {
            "connect_cpu": (server.cpu() - cpu) * 1e6 / clients,  # microseconds
            "memory": (server.memory() - memory) / 1000 / clients,  # KB
            **leave(server, crowd, files),
            **{name: stretch.end()[name] for name in ("cut", "load_share", "others_share")},
        }


def arrive(server: Server, _seconds: float, clients: int) -> Figures:
    with Crowd(*server.ports) as first:  # what is loaded once isn't an arrival's
        first.connect(ARRIVING, names=map("first {}".format, count()))
    for _ in quiet(server):
        pass
    with Crowd(*server.ports) as crowd:
        stretch = Stretch(server, crowd)
        cpu, memory, began = server.cpu(), server.memory(), time.monotonic()
        crowd.connect(clients, names=map("person {}".format, count()), at_once=ARRIVING)
        took = time.monotonic() - began
        for _ in quiet(server):
            crowd.turn(0)
        return {
            "arrive_cpu": (server.cpu() - cpu) * 1e6 / clients,  # microseconds
            "arrive": took,
            "arrivals": clients / took,
            "memory": (server.memory() - memory) / 1000 / clients,  # KB
            **{name: stretch.end()[name] for name in ("cut", "load_share", "others_share")},
        }


def leave(server: Server, crowd: Crowd, files: int) -> Figures:
    """Seconds until a server has only `files` open again and rests, and its CPU for that."""
    cpu, began = server.cpu(), time.monotonic()
    crowd.leave()
    gone = rests = began
    for worked in quiet(server):
        rests = worked
        if server.open_files() > files:
            gone = time.monotonic()
    left = server.open_files() > files
    return {
        "leave": float("inf") if left else max(gone, rests) - began,
        "leave_cpu": server.cpu() - cpu,
    }


def log(server: Server, seconds: float, _clients: int) -> Figures:
    command = [sys.executable, "-m", "bench.log", scratch(), str(seconds)]
    with machine.pinned(server.core):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the log failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    return json.loads(done.stdout)


@cache
def scratch() -> str:
    """A folder that is there until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="bench-log-")
    atexit.register(folder.cleanup)
    return folder.name


LOADS = {
    "alone": Load(
        "{clients} clients, one message at a time: the next when all have heard the last",
        alone,
        100,
    ),
    "busy": Load("{clients} clients, 4 senders with 8 in flight", in_flight(4, 8), 100),
    "room": Load("{clients} clients, 4 senders with 4 in flight", in_flight(4, 4), 1000),
    "crowd": Load("{clients} clients, 50 senders with 4 in flight", in_flight(50, 4), 1000),
    "mixed": Load(
        f"`room` with {{clients}} clients, and with half of them on socket.io 2's protocol "
        f"(Engine.IO 3), {TURNS} times in turns; latencies are those of today's clients",
        mixed,
        1000,
        servers=["chatapp"],
    ),
    "cluster": Load(
        "{clients} clients, half of them at each of two nodes, 50 senders with 4 in flight; all "
        "servers, and Redis, on one core",
        in_flight(50, 4),
        1000,
        servers=["durable", "cluster", "pair"],
    ),
    "across": Load(
        "two clients, one at each of two nodes, one message at a time: its latency at the other",
        alone,
        2,
        servers=["durable", "cluster", "pair"],
    ),
    "growth": Load(
        "`crowd` with " + ", ".join(f"{size:,}" for size in SIZES) + " clients",
        growth,
        SIZES[-1],
        servers=["chatapp"],
    ),
    "rate": Load(
        "{clients} clients, 10 senders who wait for nothing, at rising rates",
        rate,
        100,
    ),
    "idle": Load("{clients} clients connect, say nothing, and leave at once", idle, 8000),
    "arrive": Load(
        f"{{clients}} clients connect, {ARRIVING} at a time, and take a name each; all of them are "
        "in the lobby, and this chat tells them about each other",
        arrive,
        8000,
        servers=["chatapp", "node", "bun"],
    ),
    "attack": Load(
        "{clients} bystanders in turns say a message every 20 ms, without and with an attack on "
        "the server; this chat has its default limits",
        attack,
        BYSTANDERS,
        servers=["chatapp", "node", "bun"],
        limited=True,
    ),
    "stall": Load(
        "`room`, and then a third of its {clients} clients stop reading: until the server lets "
        f"them go, where it sends enough in {STALLED:g} s for the kernel to take no more",
        stall,
        1000,
    ),
    "back": Load(
        "{clients} clients whose connections broke are back at the same time, take their held "
        "names over, and join with `since` 50 messages ago",
        back,
        1000,
        servers=["durable"],
        module="bench.beating",
    ),
    "log": Load(
        "the log alone, on SQLite: 64 writers, each of whom waits for its last message; then a "
        "file of 10 million messages, in the page cache",
        log,
        64,
        servers=["durable"],
    ),
}
