"""Attacks on a server, and what they do to its other clients.

The other clients, the bystanders, take turns to say a message, one of them every 20 ms, and time
when each of them hears it: first without the attack, then with it. The attack is a process of its
own (bench/attacker.py).

An attack that freezes the server does so for as long as it lasts, so a longest latency of half of
`--seconds` is a freeze. gunicorn kills a worker that is frozen for 30 seconds: `make bench
ARGS="--loads attack --seconds 72 --servers chatapp --rounds 1"` takes half an hour and shows that.
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
from bench.errors import BenchError
from bench.load import Crowd
from bench.measure import Figures, percentile
from bench.servers import ROOT, Server

BYSTANDERS = 32
"""So many that each says less than the two messages a second that the chat allows a client."""
INTERVAL = 0.02  # seconds between two messages
WARM_UP = 0.5  # seconds
SETTLE = 10.0
"""Seconds that the bystanders wait at most for what they haven't heard when an attack has ended."""
REST = 0.5  # seconds from then until the last look at the server's memory
LOOK = 0.25  # seconds between two looks at the server's memory
MB = 1_000_000


def attack(server: Server, seconds: float, _clients: int) -> Figures:
    """All attacks in turn, each for half of `seconds` and on a server of its own.

    A figure of one attack is called `figure:attack`, a sum or maximum of all `figure`.
    """
    each = {name: attack_with(name, server, seconds / 2) for name in NAMES}
    total = {
        **{key: sum(figures[key] for figures in each.values()) for key in ("cut", "ended")},
        **{
            key: max(figures[key] for figures in each.values())
            for key in ("added", "load_share", "others_share")
        },
    }
    return total | {
        f"{key}:{name}": value for name, figures in each.items() for key, value in figures.items()
    }


def attack_with(name: str, server: Server, seconds: float) -> Figures:
    """The figures of one attack. Times are in milliseconds, memory is in MB."""
    with server.another() as target, Crowd(target.port) as crowd:
        crowd.connect(BYSTANDERS)
        crowd.cast(senders=BYSTANDERS, listeners=0)
        for client in crowd.senders:
            client.listens = True
        watch = Watch(target)
        speak(crowd, watch, WARM_UP)
        before = speak(crowd, watch, seconds)
        with attacking(name, target.port, seconds) as attacker:
            during = speak(crowd, watch, seconds)
            sent = end_of(attacker)
        after = speak(crowd, watch, REST)
        return {
            **{f"{key}_before": getattr(before, key) for key in LATENCIES},
            **{key: getattr(during, key) for key in LATENCIES},
            "added": during.p99 - before.p99,
            "unheard": during.unheard,
            "cut": crowd.cut,
            "ended": 0 if target.has_survived() else 1,
            "cpu_share": during.cpu_share,
            "memory_before": before.memory,
            "memory": during.memory,
            "memory_after": after.memory_now,
            "sent": sent["bytes"] / MB,
            "connects": sent["connects"],
            "attacker_cut": sent["cut"],
            "load_share": during.load_share + sent["cpu"] / seconds,
            "others_share": before.others_share,
        }


LATENCIES = ("median", "p99", "longest")


class Seen(NamedTuple):
    """What the bystanders and the server saw in a stretch of time. Shares are of one core."""

    median: float
    p99: float
    longest: float
    unheard: float
    """The share of deliveries that didn't come; they count as if they came when the wait ended."""
    cpu_share: float
    memory: float
    """The most that was seen."""
    memory_now: float
    load_share: float
    others_share: float


class Watch:
    """A server's CPU time and memory, as long as all its processes run."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cpu = 0.0  # seconds
        self.memory = 0.0  # MB
        self.most = 0.0  # MB
        self._looked = 0.0
        self.look()

    def look(self) -> None:
        self._looked = time.monotonic()
        with suppress(OSError, BenchError):  # it has ended
            self.cpu, self.memory = self.server.cpu(), self.server.memory() / MB
            self.most = max(self.most, self.memory)

    def look_if_due(self) -> None:
        if time.monotonic() > self._looked + LOOK:
            self.look()


def speak(crowd: Crowd, watch: Watch, seconds: float) -> Seen:
    """Have the bystanders say a message every INTERVAL, and wait until all have heard all."""
    crowd.latencies.clear()
    watch.look()
    watch.most = watch.memory
    clients, began, cpu = len(crowd.clients), time.perf_counter(), watch.cpu
    load, idle = time.process_time(), machine.idle_seconds()
    turn, wanted = 0, crowd.heard
    while (passed := time.perf_counter() - began) < seconds:
        if passed >= turn * INTERVAL:
            turn += 1
            wanted += clients
            if crowd.senders:
                crowd.say(crowd.senders[turn % len(crowd.senders)])
        crowd.turn(max(0.0, min(turn * INTERVAL, seconds) - passed))
        watch.look_if_due()
    watch.look()
    elapsed, server = time.perf_counter() - began, watch.cpu - cpu
    load, idle = time.process_time() - load, machine.idle_seconds() - idle
    while crowd.heard < wanted and crowd.clients and passed < seconds + SETTLE:
        crowd.turn(0.05)
        watch.look_if_due()
        passed = time.perf_counter() - began
    watch.look()
    missing = wanted - crowd.heard
    latencies = [*crowd.latencies, *[passed] * missing]
    return Seen(
        median=percentile(latencies, 50),
        p99=percentile(latencies, 99),
        longest=max(latencies, default=0.0) * 1000,
        unheard=missing / max(1, len(latencies)),
        cpu_share=server / elapsed,
        memory=watch.most,
        memory_now=watch.memory,
        load_share=load / elapsed,
        others_share=max(2 * elapsed - idle - server - load, 0.0) / elapsed,
    )


@contextmanager
def attacking(name: str, port: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Start an attacker, which is ready once `with` begins and has ended once it ends."""
    command = [sys.executable, "-m", "bench.attacker", str(port), str(seconds), name]
    attacker = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that Ctrl-C interrupts us alone
    )
    with attacker:
        try:
            assert attacker.stdout
            if not attacker.stdout.readline():
                raise BenchError(f"the attacker didn't start: {attacker.communicate()[1].strip()}")
            yield attacker
        finally:
            attacker.kill()


def end_of(attacker: subprocess.Popen[str]) -> Figures:
    """What an attacker says at its end that it has sent."""
    try:
        told, error = attacker.communicate(timeout=2 * GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchError("the attacker didn't end") from None
    if not told:
        raise BenchError(f"the attacker failed: {error.strip()}")
    figures: Figures = json.loads(told)
    return figures
