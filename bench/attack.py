"""Measure what attacks on a server do to its other clients, the bystanders.

Every 20 ms a bystander sends a message, and all bystanders measure its latency: first without the
attack, then with it. A separate process runs the attack (bench/attacker.py).

Some attacks freeze the server as long as they last. The longest latency is then half of
`--seconds`. gunicorn kills a worker that is frozen for 30 seconds. This command shows that in half
an hour:

    make bench ARGS="--loads attack --seconds 72 --servers chatapp --rounds 1"
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from bench import machine
from bench.attacker import GRACE_SECONDS, NAMES
from bench.clients import ClientPool
from bench.errors import BenchError
from bench.measure import Figures, percentile
from bench.servers import ROOT, Server

BYSTANDERS = 32
"""Enough that each sends less than the chat's limit of two messages a second."""
INTERVAL = 0.02  # seconds between two messages
WARM_UP = 0.5  # seconds
SETTLE = 10.0
"""Seconds that the bystanders wait for missing messages after an attack."""
REST = 0.5  # seconds from then until the last sample of the server's memory
SAMPLE_INTERVAL = 0.25  # seconds between two samples of the server's memory
MB = 1_000_000


def attack(server: Server, seconds: float, _clients: int) -> Figures:
    """Run each attack for half of `seconds` on a new server.

    A figure of one attack is named `figure:attack`, the sum or maximum of all `figure`.
    """
    each = {name: attack_with(name, server, seconds / 2) for name in NAMES}
    total = {
        **{
            key: sum(figures[key] for figures in each.values())
            for key in ("disconnected", "crashed")
        },
        **{
            key: max(figures[key] for figures in each.values())
            for key in ("added", "load_share", "others_share")
        },
    }
    return total | {
        f"{key}:{name}": value for name, figures in each.items() for key, value in figures.items()
    }


def attack_with(name: str, server: Server, seconds: float) -> Figures:
    """Run one attack and return its figures, with times in ms and memory in MB."""
    with server.another() as target, ClientPool(target.port) as pool:
        pool.connect(BYSTANDERS)
        pool.assign_roles(senders=BYSTANDERS, listeners=0)
        for client in pool.senders:
            client.timed = True
        monitor = ResourceMonitor(target)
        run_bystanders(pool, monitor, WARM_UP)
        before = run_bystanders(pool, monitor, seconds)
        with attacking(name, target.port, seconds) as attacker:
            during = run_bystanders(pool, monitor, seconds)
            sent = wait_for_attacker(attacker)
        after = run_bystanders(pool, monitor, REST)
        return {
            **{f"{key}_before": getattr(before, key) for key in LATENCIES},
            **{key: getattr(during, key) for key in LATENCIES},
            "added": during.p99 - before.p99,
            "undelivered": during.undelivered,
            "disconnected": pool.disconnected,
            "crashed": 0 if target.has_survived() else 1,
            "cpu_share": during.cpu_share,
            "memory_before": before.memory,
            "memory": during.memory,
            "memory_after": after.memory_now,
            "sent": sent["bytes"] / MB,
            "connects": sent["connects"],
            "attacker_disconnected": sent["disconnected"],
            "load_share": during.load_share + sent["cpu"] / seconds,
            "others_share": before.others_share,
        }


LATENCIES = ("median", "p99", "longest")


class Observation(NamedTuple):
    """Measurements of one period. Shares are of one core."""

    median: float
    p99: float
    longest: float
    undelivered: float
    """The share of deliveries that didn't come; their latency is the whole wait."""
    cpu_share: float
    memory: float
    """The greatest sample."""
    memory_now: float
    load_share: float
    others_share: float


class ResourceMonitor:
    """Samples of a server's CPU time and memory, as long as all its processes run."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cpu = 0.0  # seconds
        self.memory = 0.0  # MB
        self.max_memory = 0.0  # MB
        self._sampled_at = 0.0
        self.sample()

    def sample(self) -> None:
        self._sampled_at = time.monotonic()
        with suppress(OSError, BenchError):  # the server has ended
            self.cpu, self.memory = self.server.cpu(), self.server.memory() / MB
            self.max_memory = max(self.max_memory, self.memory)

    def sample_if_due(self) -> None:
        if time.monotonic() > self._sampled_at + SAMPLE_INTERVAL:
            self.sample()


def run_bystanders(pool: ClientPool, monitor: ResourceMonitor, seconds: float) -> Observation:
    """Have the bystanders send a message every INTERVAL, and wait for all deliveries."""
    pool.latencies.clear()
    monitor.sample()
    monitor.max_memory = monitor.memory
    clients, began, cpu = len(pool.clients), time.perf_counter(), monitor.cpu
    load, idle = time.process_time(), machine.idle_seconds()
    messages, expected = 0, pool.delivered
    while (passed := time.perf_counter() - began) < seconds:
        if passed >= messages * INTERVAL:
            messages += 1
            expected += clients
            if pool.senders:
                pool.send_message(pool.senders[messages % len(pool.senders)])
        pool.poll(max(0.0, min(messages * INTERVAL, seconds) - passed))
        monitor.sample_if_due()
    monitor.sample()
    elapsed, server = time.perf_counter() - began, monitor.cpu - cpu
    load, idle = time.process_time() - load, machine.idle_seconds() - idle
    while pool.delivered < expected and pool.clients and passed < seconds + SETTLE:
        pool.poll(0.05)
        monitor.sample_if_due()
        passed = time.perf_counter() - began
    monitor.sample()
    missing = expected - pool.delivered
    latencies = [*pool.latencies, *[passed] * missing]
    return Observation(
        median=percentile(latencies, 50),
        p99=percentile(latencies, 99),
        longest=max(latencies, default=0.0) * 1000,
        undelivered=missing / max(1, len(latencies)),
        cpu_share=server / elapsed,
        memory=monitor.max_memory,
        memory_now=monitor.memory,
        load_share=load / elapsed,
        others_share=max(2 * elapsed - idle - server - load, 0.0) / elapsed,
    )


@contextmanager
def attacking(name: str, port: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Run an attacker process that is ready when the `with` block begins."""
    command = [sys.executable, "-m", "bench.attacker", str(port), str(seconds), name]
    attacker = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that Ctrl-C reaches the bench only
    )
    with attacker:
        try:
            assert attacker.stdout
            if not attacker.stdout.readline():
                raise BenchError(f"the attacker didn't start: {attacker.communicate()[1].strip()}")
            yield attacker
        finally:
            attacker.kill()


def wait_for_attacker(attacker: subprocess.Popen[str]) -> Figures:
    """Wait for an attacker's end and return the amounts that it sent."""
    try:
        output, error = attacker.communicate(timeout=2 * GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchError("the attacker didn't end") from None
    if not output:
        raise BenchError(f"the attacker failed: {error.strip()}")
    figures: Figures = json.loads(output)
    return figures
