"""The loads of the bench; each returns figures."""

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
from bench.clients import ClientPool
from bench.errors import BenchError
from bench.measure import Figures, Measurement, quiet
from bench.reconnect import reconnect
from bench.servers import ALONE, ROOT, Server

WARM_UP = 1.5  # seconds at least
LISTENERS = 20
RATES = (500, 1000, 2000, 3000, 4000, 5000)  # messages a second
RATE_P99 = 20.0  # milliseconds
SIZES = (2000, 4000, 8000)  # clients
NEWMSG_BYTES = 155
ARRIVING = 100  # clients that connect at once
TURNS, BLOCKS = 3, 10
STALLED = 30.0  # seconds until the kernel's buffers of clients that don't read are full


class Load(NamedTuple):
    """A load: its description, the function that runs it, and its defaults."""

    description: str  # with {clients}
    run: Callable[[Server, float, int], Figures]
    clients: int
    servers: Collection[str] = ALONE
    module: str = "wsgi"  # of the chat's app
    limited: bool = False  # whether the chat keeps its default limits


@contextlib.contextmanager
def connected_pool(server: Server, clients: int, senders: int) -> Iterator[ClientPool]:
    with ClientPool(*server.ports) as pool:
        pool.connect(clients)
        pool.assign_roles(senders, min(LISTENERS, clients - senders))
        gc.collect()
        gc.freeze()
        yield pool


def alone(server: Server, seconds: float, clients: int) -> Figures:
    with connected_pool(server, clients, senders=1) as pool:
        send_one_at_a_time(pool, WARM_UP)
        measurement = Measurement(server, pool)
        send_one_at_a_time(pool, seconds)
        return measurement.end()


def send_one_at_a_time(pool: ClientPool, seconds: float) -> None:
    """Send each message once all clients have received the one before."""
    until = time.monotonic() + seconds
    while (sent := time.monotonic()) < until:
        expected = pool.delivered + len(pool.clients)
        pool.send_message(pool.senders[0])
        while pool.delivered < expected and not pool.disconnected and time.monotonic() < sent + 10:
            pool.poll(0.1)
        if pool.disconnected or pool.delivered < expected:
            raise BenchError("a message did not reach all clients")


def in_flight(senders: int, flight: int) -> Callable[[Server, float, int], Figures]:
    """Return the load of `senders` senders with `flight` messages in flight each."""

    def run(server: Server, seconds: float, clients: int) -> Figures:
        with connected_pool(server, clients, senders) as pool:
            warm_up(pool, flight)
            measurement = Measurement(server, pool)
            keep_in_flight(pool, seconds)
            return measurement.end()

    return run


def mixed(server: Server, seconds: float, clients: int) -> Figures:
    """Compare clients of Engine.IO 4 alone and mixed half and half with Engine.IO 3, in turns."""
    ends: dict[bool, list[Figures]] = {False: [], True: []}
    for turn in range(2 * TURNS):
        with ClientPool(*server.ports) as pool:
            for block in range(
                2 * BLOCKS
            ):  # mixed, as the server writes in the order of connection
                pool.connect(clients // (2 * BLOCKS), engine3=bool(turn % 2 and block % 2))
            pool.assign_roles(4, LISTENERS)
            warm_up(pool, flight=4)
            pool.ping()
            measurement = Measurement(server, pool)
            keep_in_flight(pool, seconds / 2)
            ends[bool(turn % 2)].append(measurement.end())
    before, after = (
        {name: statistics.median(end[name] for end in each) for name in each[0]}
        for each in ends.values()
    )
    kept = {f"{name}_kept": after[name] / before[name] for name in ("deliveries", "median", "cpu")}
    return after | kept | worst(before, after)


def warm_up(pool: ClientPool, flight: int) -> None:
    """Put the first messages in flight, and wait until latencies are steady."""
    for _ in range(flight):
        for sender in pool.senders:
            pool.send_message(sender)
    began = time.monotonic()
    keep_in_flight(pool, WARM_UP)
    while (
        any(sender.sent < 2 * flight for sender in pool.senders) and time.monotonic() < began + 20
    ):
        keep_in_flight(pool, 0.1)


def keep_in_flight(pool: ClientPool, seconds: float) -> None:
    """Have each sender send a message when it receives one of its own."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pool.poll(0.1)
        for sender in pool.returned:
            pool.send_message(sender)


def growth(server: Server, seconds: float, _clients: int) -> Figures:
    figures: Figures = {}
    for size in SIZES:
        end = LOADS["crowd"].run(server, seconds / 2, size)
        figures |= {f"{name}#{size}": end[name] for name in ("deliveries", "cpu", "median", "p99")}
        figures |= worst(figures, end)
    return figures


def worst(one: Figures, other: Figures) -> Figures:
    """Return the greater of two figures of each disturbance."""
    disturbances = ("disconnected", "load_share", "others_share")
    return {name: max(one.get(name, 0), other[name]) for name in disturbances}


def stall(server: Server, seconds: float, clients: int) -> Figures:
    with connected_pool(server, clients, senders=4) as pool:
        warm_up(pool, flight=4)
        files = server.open_files()
        measurement = Measurement(server, pool)
        keep_in_flight(pool, seconds)
        before = measurement.end()
        pool.stall(clients // 3)
        measurement = Measurement(server, pool)
        keep_in_flight(pool, seconds)
        each = measurement.end()["deliveries"] / (clients - clients // 3) * NEWMSG_BYTES
        until = time.monotonic() + STALLED - seconds
        while each * STALLED > machine.send_buffer() and time.monotonic() < until:
            if files - server.open_files() >= clients // 3:
                break
            keep_in_flight(pool, 1)
        after = measurement.end()
        return after | {
            "before": before["p99"],
            "growth": after["p99"] / before["p99"],
            "evicted": files - server.open_files(),
        }


def rate(server: Server, seconds: float, clients: int) -> Figures:
    figures: Figures = {"rate": 0}
    with connected_pool(server, clients, senders=10) as pool:
        send_at_rate(pool, RATES[0], WARM_UP)
        for step in RATES:
            measurement = Measurement(server, pool)
            kept_up = send_at_rate(pool, step, seconds / 2)
            end = measurement.end()
            figures |= {f"{name}@{step}": end[name] for name in ("median", "p99")}
            figures |= worst(figures, end)
            if pool.disconnected or not kept_up:
                break
            if end["p99"] <= RATE_P99:
                figures["rate"] = step
    return figures


def send_at_rate(pool: ClientPool, messages: int, seconds: float) -> bool:
    """Send `messages` a second; return whether all were delivered half a second later."""
    began = time.monotonic()
    sent, expected = 0, pool.delivered
    while (passed := time.monotonic() - began) < seconds and pool.senders:
        while sent < passed * messages:
            pool.send_message(pool.senders[sent % len(pool.senders)])
            sent += 1
        pool.poll(max(0.0, began + sent / messages - time.monotonic()))
    expected += sent * len(pool.clients)
    while pool.delivered < expected and time.monotonic() < began + seconds + 0.5:
        pool.poll(0.05)
    return pool.delivered >= expected


def idle(server: Server, _seconds: float, clients: int) -> Figures:
    with ClientPool(*server.ports) as first:  # so that first-use costs don't count
        first.connect(200)
    for _ in quiet(server):
        pass
    with ClientPool(*server.ports) as pool:
        files, memory = server.open_files(), server.memory()
        measurement = Measurement(server, pool)
        cpu = server.cpu()
        pool.connect(clients)
        for _ in quiet(server):
            pool.poll(0)
        return {
            "connect_cpu": (server.cpu() - cpu) * 1e6 / clients,  # microseconds
            "memory": (server.memory() - memory) / 1000 / clients,  # KB
            **leave(server, pool, files),
            **{
                name: measurement.end()[name]
                for name in ("disconnected", "load_share", "others_share")
            },
        }


def arrive(server: Server, _seconds: float, clients: int) -> Figures:
    with ClientPool(*server.ports) as first:  # so that first-use costs don't count
        first.connect(ARRIVING, names=map("first {}".format, count()))
    for _ in quiet(server):
        pass
    with ClientPool(*server.ports) as pool:
        measurement = Measurement(server, pool)
        cpu, memory, began = server.cpu(), server.memory(), time.monotonic()
        pool.connect(clients, names=map("person {}".format, count()), at_once=ARRIVING)
        duration = time.monotonic() - began
        for _ in quiet(server):
            pool.poll(0)
        return {
            "arrive_cpu": (server.cpu() - cpu) * 1e6 / clients,  # microseconds
            "arrive": duration,
            "arrivals": clients / duration,
            "memory": (server.memory() - memory) / 1000 / clients,  # KB
            **{
                name: measurement.end()[name]
                for name in ("disconnected", "load_share", "others_share")
            },
        }


def leave(server: Server, pool: ClientPool, files: int) -> Figures:
    """Disconnect all clients; measure until the server has closed them and is idle."""
    cpu, began = server.cpu(), time.monotonic()
    pool.disconnect_all()
    closed_at = idle_since = began
    for busy_at in quiet(server):
        idle_since = busy_at
        if server.open_files() > files:
            closed_at = time.monotonic()
    left = server.open_files() > files
    return {
        "leave": float("inf") if left else max(closed_at, idle_since) - began,
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
    """Return a temporary folder, which is removed when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="bench-log-")
    atexit.register(folder.cleanup)
    return folder.name


LOADS = {
    "alone": Load(
        "{clients} clients, one message at a time: the next once all have received the last",
        alone,
        100,
    ),
    "busy": Load("{clients} clients, 4 senders with 8 in flight", in_flight(4, 8), 100),
    "room": Load("{clients} clients, 4 senders with 4 in flight", in_flight(4, 4), 1000),
    "crowd": Load("{clients} clients, 50 senders with 4 in flight", in_flight(50, 4), 1000),
    "mixed": Load(
        f"`room` with {{clients}} clients, and with half of them on socket.io 2's protocol "
        f"(Engine.IO 3), {TURNS} times in turns. Latencies are those of Engine.IO 4 clients",
        mixed,
        1000,
        servers=["chatapp"],
    ),
    "cluster": Load(
        "{clients} clients, half of them at each of two nodes, 50 senders with 4 in flight. All "
        "servers and Redis share one core",
        in_flight(50, 4),
        1000,
        servers=["durable", "cluster", "pair"],
    ),
    "across": Load(
        "two clients, one at each of two nodes, one message at a time. Latencies are those at the "
        "other node",
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
        "{clients} clients, 10 senders at a fixed rate, which rises in steps",
        rate,
        100,
    ),
    "idle": Load("{clients} clients connect, send nothing, and disconnect at once", idle, 8000),
    "arrive": Load(
        f"{{clients}} clients connect to the lobby, {ARRIVING} at a time, and take a name each. "
        "This chat announces them to each other",
        arrive,
        8000,
        servers=["chatapp", "node", "bun"],
    ),
    "attack": Load(
        "{clients} clients in turn send a message every 20 ms, without and with an attack on the "
        "server. This chat has its default limits",
        attack,
        BYSTANDERS,
        servers=["chatapp", "node", "bun"],
        limited=True,
    ),
    "stall": Load(
        "`room`, and then a third of its {clients} clients stop reading. The load waits until the "
        f"server closes them, if it sends enough in {STALLED:g} s to fill the kernel's buffers",
        stall,
        1000,
    ),
    "reconnect": Load(
        "{clients} clients whose connections broke reconnect at once, take their held names back, "
        "and join with `since` 50 messages ago",
        reconnect,
        1000,
        servers=["durable"],
        module="bench.loop_lag",
    ),
    "log": Load(
        "the log alone, on SQLite: 64 writers, each of which waits for its last message. Then a "
        "file of 10 million messages, in the page cache",
        log,
        64,
        servers=["durable"],
    ),
}
