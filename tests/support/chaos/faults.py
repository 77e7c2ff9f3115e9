"""What happens to a cluster's parts, while people talk: quickly in tests, and with the bounds of
real life in `make torture`."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from support.chaos.comeback import Crowd
from support.chaos.load import Client
from support.proxy import Proxy
from support.raw import CLOSE, RawWebSocket, eventually
from support.servers import UNLIMITED, RedisProcess, Server, launch

KEEP_ALL = {**UNLIMITED, "RETENTION_MESSAGES": "0", "RETENTION_DAYS": "0"}


class Cluster:
    """Two nodes on one Redis, behind a proxy. `lease`, `hold`: seconds. `settings`: others."""

    def __init__(
        self, folder: Path, lease: float = 15.0, hold: float = 30.0, **settings: str
    ) -> None:
        for part in ("redis", "one", "two"):
            (folder / part).mkdir()
        self.redis = RedisProcess(folder / "redis", appendfsync="always")
        self.proxy = Proxy(self.redis.port)
        url = f"redis://127.0.0.1:{self.proxy.port}/0"
        self.settings = {
            **KEEP_ALL,
            "STORE": url,
            "NODE_LEASE": str(lease),
            "NAME_HOLD": str(hold),
            "DRAIN_TIME": "1",
            **settings,
        }
        self.nodes: list[Server] = []
        for part in ("one", "two"):
            self.nodes.append(Server("gunicorn", folder / part, self.settings))

    def start_again(self, node: Server) -> None:
        node.process = launch(node.kind, node.log, node.port, self.settings)
        eventually(node.answers, 20)

    def worker(self, node: Server) -> list[int]:
        """The processes of a node."""
        children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text()
        return [node.process.pid, *map(int, children.split())]

    def signal(self, node: Server, number: signal.Signals) -> None:
        for process in self.worker(node):
            os.kill(process, number)

    def close(self) -> None:
        self.redis.process.send_signal(signal.SIGCONT)
        for node in self.nodes:
            if node.process.poll() is None:
                self.signal(node, signal.SIGCONT)
                node.signal()
        for node in self.nodes:
            node.process.wait(20)
        self.proxy.close()
        self.redis.stop()


@contextmanager
def cluster(folder: Path, **options: Any) -> Iterator[Cluster]:
    with ExitStack() as closing:
        found = Cluster(folder, **options)
        closing.callback(found.close)
        yield found
        for node in found.nodes:
            assert "Traceback" not in node.log.read_text(), node.log.read_text()


def redis_is_killed(cluster: Cluster, pause: float) -> None:
    cluster.redis.kill()
    time.sleep(pause)
    cluster.redis.start()


def redis_hangs(cluster: Cluster, pause: float) -> None:
    cluster.redis.process.send_signal(signal.SIGSTOP)
    time.sleep(pause)
    cluster.redis.process.send_signal(signal.SIGCONT)


def connections_are_cut(cluster: Cluster, pause: float) -> None:
    for _ in range(3):
        assert cluster.proxy.cut()
        time.sleep(pause / 3)


def listeners_hear_nothing(cluster: Cluster, pause: float) -> None:
    assert cluster.proxy.hush() >= 2
    time.sleep(pause)


FAULTS: list[Callable[[Cluster, float], None]] = [
    redis_is_killed,
    redis_hangs,
    connections_are_cut,
    listeners_hear_nothing,
]


def goes_on_after(cluster: Cluster, fault: Callable[[Cluster, float], None], pause: float) -> str:
    """20 speak and 4 listen over both nodes while it happens: nothing is lost, doubled or
    reordered, no connection ends, and all go on within 5 s of its end."""
    with Crowd(cluster.nodes) as crowd:
        time.sleep(0.5)
        fault(cluster, pause)
        taken = crowd.goes_on(within=5)
        time.sleep(0.5)
        said = crowd.check()
        breaks = [f"{person.name}: {person.breaks}" for person in crowd.people if person.breaks]
        assert not breaks, breaks
    return f"{fault.__name__.replace('_', ' ')}: all go on after {taken:.1f} s; {said}"


def a_node_is_killed(cluster: Cluster, lease: float, hold: float) -> str:
    """Its people are at the other at once, names that nobody asked to hold are free within the
    lease, and held ones after their hold."""
    one, two = cluster.nodes
    plain, held = Client(one, "Plain"), Client(one)
    held.asks("setUsername", "Held", {"hold": True})
    with Crowd(cluster.nodes) as crowd:
        os.killpg(one.process.pid, signal.SIGKILL)
        killed = time.monotonic()
        one.process.wait()
        time.sleep(0.3)  # until they have noticed
        crowd.are_in(within=5)
        back = time.monotonic() - killed
        free = {}
        for name in ("Plain", "Held"):
            eventually(lambda name=name: is_free(two, name), lease + hold + 5)
            free[name] = time.monotonic() - killed
        users = Client(two).asks("join", {})["users"]
        said = crowd.check(two)
    assert free["Plain"] < lease + 2, free
    assert hold - 1 < free["Held"] < lease + hold + 3, free
    assert users == sorted(person.name for person in crowd.people), users
    for client in (plain, held):
        client.socket.sock.close()
    cluster.start_again(one)
    return (
        f"a node is killed: its people are back after {back:.1f} s, a name is free after "
        f"{free['Plain']:.1f} s, a held one after {free['Held']:.1f} s; {said}"
    )


def is_free(server: Server, name: str) -> bool:
    """Whether the name can be had; it's given back at once."""
    client = RawWebSocket(server)
    try:
        client.send(f'421["setUsername","{name}"]')
        return '"ok":true' in client.receive_until("431")[-1]
    finally:
        client.send("41")
        client.sock.close()


def a_node_stands_still(cluster: Cluster, lease: float) -> str:
    """For longer than its lease: no name is ever two people's."""
    one, two = cluster.nodes
    ann = Client(one, "Ann")
    before = ann.asks("msg", {"message": "mine"})["id"]
    cluster.signal(one, signal.SIGSTOP)
    ann.emits("msg", {"message": "said while it stood still"})
    other = Client(two)
    eventually(lambda: gets(other, "Ann"), 2 * lease + 3)
    said = other.asks("msg", {"message": "said by another"})["id"]
    cluster.signal(one, signal.SIGCONT)
    with suppress(OSError):
        while answer := heard_until_closed(ann):
            assert not answer["ok"], "two spoke as Ann"
    log = other.asks("history", {"since": before})["messages"]
    assert [number["id"] for _, number in log] == [said] == [before + 1]
    assert Client(one).asks("join", {})["users"] == ["Ann"]
    for client in (ann, other):
        client.socket.sock.close()
    return "a node stands still for longer than its lease: its people are closed, and nobody spoke"


def gets(client: Client, name: str) -> bool:
    wanted = client.emits("setUsername", name)
    while True:
        said = client.next()
        if said and said[0] == wanted:
            return said[1]["ok"]


def heard_until_closed(client: Client) -> dict | None:
    """The next answer; None once the connection has ended."""
    while True:
        opcode, data = client.socket.receive_frame() or (CLOSE, b"")
        if opcode == CLOSE:
            return None
        if data.startswith(b"43"):
            return json.loads(data[data.index(b"[") :])[0]


def two_hundred_want_a_name(cluster: Cluster, rounds: int) -> str:
    """200 people race for one name over both nodes: each time one gets it."""
    people = [RawWebSocket(cluster.nodes[n % 2]) for n in range(200)]
    for number in range(rounds):
        for person in people:
            person.send(f'42{number}["setUsername","The one {number}"]')
        answers = [person.receive_until(f"43{number}[")[-1] for person in people]
        winners = sum('"ok":true' in answer for answer in answers)
        assert winners == 1, f"{winners} got a name in round {number}"
    for person in people:
        person.sock.close()
    return f"200 people wanted one name, {rounds} times: each time one got it"
