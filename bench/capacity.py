"""The capacity of one Redis: its CPU time and memory for names, messages and leases.

`python -m bench.capacity` prints tables for docs/capacity.md in half a minute.

One process under gevent runs the stores of many nodes, without clients. It measures the CPU time of
Redis only, so its own speed doesn't matter.
"""

from gevent import monkey

monkey.patch_all()

import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from itertools import count  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import redis  # noqa: E402

from bench import machine  # noqa: E402
from bench.servers import free_port, responds  # noqa: E402
from chatapp.chat.client import Client, DisconnectReason  # noqa: E402
from chatapp.chat.log import Draft, Retention  # noqa: E402
from chatapp.config import read  # noqa: E402
from chatapp.store.redis.log import RedisLog  # noqa: E402
from chatapp.store.redis.roster import RedisRoster  # noqa: E402

SECONDS = 2.0  # of each step
NODES = (1, 2, 4, 8, 16, 32)
ROOMS = (1, 100, 1000)
CONCURRENCY = 32  # pending calls
MANY = 5000
TEXT = "x" * 64
NUMBERS = count(1)
LIMITS = read({"TESTING": True})


class EmptyAudience:
    """An audience without clients (chatapp.chat.audience.Audience)."""

    def has_members(self, _room: str) -> bool:
        return True

    def rooms(self, _client: str) -> list[str]:
        return ["lobby"]

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Node:
    """A node's stores, subscribed to `rooms` rooms."""

    def __init__(self, url: str, rooms: int) -> None:
        self.log = RedisLog(url, Retention(0, 0))
        self.roster = RedisRoster(self.log, EmptyAudience())
        self.log.open()
        self.roster.open()
        for number in range(rooms):
            self.log.subscribe_room(room(number))

    def close(self) -> None:
        self.roster.close()
        self.log.close()


def room(number: int) -> str:
    return f"room-{number}"


@contextmanager
def redis_server() -> Iterator[tuple[str, redis.Redis]]:
    program = shutil.which("redis-server")
    if not program:
        sys.exit("redis-server is missing; install it (Debian: apt install redis-server)")
    core, other = machine.cores()
    with tempfile.TemporaryDirectory() as folder, machine.pinned(other):
        port = free_port()
        options = f"--port {port} --bind 127.0.0.1 --appendonly yes --save '' --dir {folder}"
        with machine.pinned(core):
            process = subprocess.Popen([program, *options.split()], stdout=subprocess.DEVNULL)
        while not responds(port, b"PING\r\n"):
            time.sleep(0.05)
        url = f"redis://127.0.0.1:{port}/0"
        try:
            with redis.Redis.from_url(url) as client:
                yield url, client
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def nodes(server: tuple[str, redis.Redis], number: int, rooms: int = 1) -> Iterator[list[Node]]:
    url, client = server
    client.flushall()
    found = [Node(url, rooms) for _ in range(number)]
    yield found
    for node in found:
        node.close()


def cost(client: redis.Redis, do: Callable[[int], Any]) -> float:
    """Return the µs of Redis's CPU for a call of `do`, with CONCURRENCY calls pending."""
    done = count()
    used, until = cpu(client), time.monotonic() + SECONDS

    def repeat(number: int) -> None:
        while time.monotonic() < until:
            do(number)
            next(done)

    gevent.joinall(
        [gevent.spawn(repeat, number) for number in range(CONCURRENCY)], raise_error=True
    )
    return (cpu(client) - used) * 1e6 / next(done)


def cpu(client: redis.Redis) -> float:
    info: Any = client.info("cpu")
    return info["used_cpu_user"] + info["used_cpu_sys"]


def memory(client: redis.Redis) -> int:
    info: Any = client.info("memory")
    return info["used_memory"]


def claim(found: list[Node], number: int) -> None:
    client = Client(f"client-{next(NUMBERS)}", LIMITS)
    roster = found[number % len(found)].roster
    roster.claim(client, f"Name {next(NUMBERS)}")
    roster.end(client, DisconnectReason.CLEAN)


def send_message(found: list[Node], number: int, rooms: int = 1) -> None:
    draft = Draft(room(next(NUMBERS) % rooms), "Ann", TEXT)
    found[number % len(found)].log.append(draft)


def by_nodes(server: tuple[str, redis.Redis]) -> Iterator[str]:
    yield "| nodes | claim and release a name | a message | renew a lease |"
    yield "|---|---|---|---|"
    for number in NODES:
        with nodes(server, number) as found:
            name = cost(server[1], lambda n: claim(found, n))
            message = cost(server[1], lambda n: send_message(found, n))
            lease = cost(server[1], lambda n: found[n % len(found)].roster.lease.renew())
        yield f"| {number} | {name:.0f} | {message:.0f} | {lease:.0f} |"


def by_rooms(server: tuple[str, redis.Redis]) -> Iterator[str]:
    yield "| rooms, each with subscribers on two nodes | a message |"
    yield "|---|---|"
    for rooms in ROOMS:
        with nodes(server, 2, rooms) as found:
            message = cost(server[1], lambda n: send_message(found, n, rooms))  # noqa: B023
        yield f"| {rooms} | {message:.0f} |"


def by_memory(server: tuple[str, redis.Redis]) -> Iterator[str]:
    yield "| data | bytes |"
    yield "|---|---|"
    with nodes(server, 1) as (node,):
        steps: list[tuple[str, Callable[[int], Any]]] = [
            ("a name, in the lobby", lambda n: node.roster.claim(client(n), f"Name {n}")),
            ("a message of 64 bytes", lambda _: node.log.append(Draft("lobby", "Ann", TEXT))),
            (
                "the same, with a key",
                lambda n: node.log.append(Draft("lobby", "Ann", TEXT, f"key-{n:08}")),
            ),
            ("a room with one message", lambda n: node.log.append(Draft(room(n), "Ann", TEXT))),
        ]
        for what, do in steps:
            before = memory(server[1])
            for number in range(MANY):
                do(number)
            yield f"| {what} | {(memory(server[1]) - before) / MANY:,.0f} |"


def client(number: int) -> Client:
    return Client(f"client-{number}", LIMITS)


def main() -> None:
    print(f"Microseconds of Redis's CPU, on {machine.model()}:\n")
    with redis_server() as server:
        for table in (by_nodes, by_rooms, by_memory):
            for line in table(server):
                print(line, flush=True)
            print()


if __name__ == "__main__":
    main()
