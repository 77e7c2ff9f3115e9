"""Faults of a cluster's parts while clients send messages.

tests/cluster uses these with short leases, `make torture` with the default ones.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from support.chaos.load import Client
from support.chaos.reconnecting import ClientGroup
from support.proxy import Proxy
from support.raw import CLOSE, RawWebSocket, eventually
from support.servers import UNLIMITED, RedisProcess, Server, start_process

KEEP_ALL = {**UNLIMITED, "RETENTION_MESSAGES": "0", "RETENTION_DAYS": "0"}


class Cluster:
    """Two nodes on one Redis behind a proxy. `lease` and `hold` are in seconds."""

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

    def restart(self, node: Server) -> None:
        """Start a node again that has ended, on the same port."""
        node.process = start_process(node.kind, node.log, node.port, self.settings)
        eventually(node.is_ready, 20)

    def pids(self, node: Server) -> list[int]:
        """Return the process ids of a node: gunicorn's master and its worker."""
        children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text()
        return [node.process.pid, *map(int, children.split())]

    def signal(self, node: Server, number: signal.Signals) -> None:
        for pid in self.pids(node):
            os.kill(pid, number)

    def close(self) -> None:
        self.redis.process.send_signal(signal.SIGCONT)
        for node in self.nodes:
            if node.process.poll() is None:
                self.signal(node, signal.SIGCONT)
                node.terminate()
        for node in self.nodes:
            node.process.wait(20)
        self.proxy.close()
        self.redis.stop()


@contextmanager
def cluster(folder: Path, **options: Any) -> Iterator[Cluster]:
    """Run a `Cluster`, and fail if a node has logged a traceback."""
    with ExitStack() as closing:
        found = Cluster(folder, **options)
        closing.callback(found.close)
        yield found
        for node in found.nodes:
            assert "Traceback" not in node.log.read_text(), node.log.read_text()


def kill_redis(cluster: Cluster, pause: float) -> None:
    cluster.redis.kill()
    time.sleep(pause)
    cluster.redis.start()


def pause_redis(cluster: Cluster, pause: float) -> None:
    cluster.redis.process.send_signal(signal.SIGSTOP)
    time.sleep(pause)
    cluster.redis.process.send_signal(signal.SIGCONT)


def cut_connections(cluster: Cluster, pause: float) -> None:
    for _ in range(3):
        assert cluster.proxy.cut()
        time.sleep(pause / 3)


def silence_subscribers(cluster: Cluster, pause: float) -> None:
    assert cluster.proxy.silence_subscribers() >= 2
    time.sleep(pause)


FAULTS: list[Callable[[Cluster, float], None]] = [
    kill_redis,
    pause_redis,
    cut_connections,
    silence_subscribers,
]


def check_recovery(cluster: Cluster, fault: Callable[[Cluster, float], None], pause: float) -> str:
    """Run a fault while 20 clients send and 4 listen on both nodes; return a summary.

    No message may be lost, repeated or reordered, no connection may end, and within 5 s of the
    fault's end each client must receive new messages.
    """
    with ClientGroup(cluster.nodes) as group:
        time.sleep(0.5)
        fault(cluster, pause)
        recovered = group.wait_for_progress(within=5)
        time.sleep(0.5)
        summary = group.check()
        ended = [f"{c.name}: {c.disconnections}" for c in group.clients if c.disconnections]
        assert not ended, ended
    return f"{fault.__name__.replace('_', ' ')}: recovered after {recovered:.1f} s; {summary}"


def check_killed_node(cluster: Cluster, lease: float, hold: float) -> str:
    """Kill a node and return a summary.

    Its clients must reconnect to the other node, and their names must be free again: a name within
    the lease, a held one after its hold.
    """
    one, two = cluster.nodes
    plain, held = Client(one, "Plain"), Client(one)
    held.call("setUsername", "Held", {"hold": True})
    with ClientGroup(cluster.nodes) as group:
        os.killpg(one.process.pid, signal.SIGKILL)
        killed = time.monotonic()
        one.process.wait()
        time.sleep(0.3)  # until the clients notice
        group.wait_until_joined(within=5)
        reconnected = time.monotonic() - killed
        free = {}
        for name in ("Plain", "Held"):
            eventually(lambda name=name: is_free(two, name), lease + hold + 5)
            free[name] = time.monotonic() - killed
        users = Client(two).call("join", {})["users"]
        summary = group.check(two)
    assert free["Plain"] < lease + 2, free
    assert hold - 1 < free["Held"] < lease + hold + 3, free
    assert users == sorted(client.name for client in group.clients), users
    for client in (plain, held):
        client.socket.sock.close()
    cluster.restart(one)
    return (
        f"kill a node: its clients reconnected after {reconnected:.1f} s, a name was free after "
        f"{free['Plain']:.1f} s, a held one after {free['Held']:.1f} s; {summary}"
    )


def is_free(server: Server, name: str) -> bool:
    """Whether a client can claim the name; it releases the name at once."""
    client = RawWebSocket(server)
    try:
        client.send(f'421["setUsername","{name}"]')
        return '"ok":true' in client.receive_until("431")[-1]
    finally:
        client.send("41")
        client.sock.close()


def check_paused_node(cluster: Cluster, lease: float) -> str:
    """Pause a node for longer than its lease and return a summary.

    No two clients may have one name.
    """
    one, two = cluster.nodes
    ann = Client(one, "Ann")
    before = ann.call("msg", {"message": "mine"})["id"]
    cluster.signal(one, signal.SIGSTOP)
    ann.emit("msg", {"message": "sent while the node was paused"})
    other = Client(two)
    eventually(lambda: claims(other, "Ann"), 2 * lease + 3)
    newest = other.call("msg", {"message": "sent by the new holder"})["id"]
    cluster.signal(one, signal.SIGCONT)
    with suppress(OSError):
        while answer := receive_answer(ann):
            assert not answer["ok"], "two clients sent messages as Ann"
    log = other.call("history", {"since": before})["messages"]
    assert [meta["id"] for _, meta in log] == [newest] == [before + 1]
    assert Client(one).call("join", {})["users"] == ["Ann"]
    for client in (ann, other):
        client.socket.sock.close()
    return "pause a node for longer than its lease: its clients are closed and sent no message"


def claims(client: Client, name: str) -> bool:
    """Whether the client gets the name."""
    return client.wait_for_answer(client.emit("setUsername", name))["ok"]


def receive_answer(client: Client) -> dict | None:
    """Return the next answer, or None once the connection has ended."""
    while True:
        opcode, data = client.socket.receive_frame() or (CLOSE, b"")
        if opcode == CLOSE:
            return None
        if data.startswith(b"43"):
            return json.loads(data[data.index(b"[") :])[0]


def check_name_race(cluster: Cluster, rounds: int) -> str:
    """Have 200 clients on both nodes claim one name and return a summary.

    Exactly one of them may get it.
    """
    clients = [RawWebSocket(cluster.nodes[n % 2]) for n in range(200)]
    for number in range(rounds):
        for client in clients:
            client.send(f'42{number}["setUsername","The one {number}"]')
        answers = [client.receive_until(f"43{number}[")[-1] for client in clients]
        winners = sum('"ok":true' in answer for answer in answers)
        assert winners == 1, f"{winners} got a name in round {number}"
    for client in clients:
        client.sock.close()
    return f"200 clients claim one name, {rounds} times: one gets it each time"
