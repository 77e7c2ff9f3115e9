"""The figures of all runs, their medians and ratios, and the goals."""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

from bench.measure import Figures

OURS = "chatapp"
DURABLE = "durable"  # this chat on SQLite
CLUSTER = "cluster"  # this chat, two nodes on Redis


class Results:
    """The figures of each load, server and round, or why the run failed."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], list[Figures | str]] = {}

    def add(self, load: str, server: str, outcome: Figures | str) -> None:
        self.runs.setdefault((load, server), []).append(outcome)

    def loads(self) -> list[str]:
        return list(dict.fromkeys(load for load, _ in self.runs))

    def servers(self, load: str) -> list[str]:
        return [server for each, server in self.runs if each == load]

    def figures(self, load: str, server: str) -> list[Figures | None]:
        """Return the figures of each round, or None for a failed one."""
        runs = self.runs.get((load, server), [])
        return [None if isinstance(outcome, str) else outcome for outcome in runs]

    def values(self, load: str, server: str, figure: str) -> list[float]:
        rounds = self.figures(load, server)
        return [figures[figure] for figures in rounds if figures and figure in figures]

    def median(self, load: str, server: str, figure: str) -> float | None:
        values = self.values(load, server, figure)
        return statistics.median(values) if values else None

    def ratio(self, load: str, figure: str, other: str, ours: str = OURS) -> float | None:
        """Return the median of the rounds' ratios to the `other` server's figure."""
        ratios = [
            mine / theirs for mine, theirs in self._pairs(load, figure, other, ours) if theirs
        ]
        return statistics.median(ratios) if ratios else None

    def difference(self, load: str, figure: str, other: str, ours: str) -> float | None:
        """Return the median of the rounds' differences from the `other` server's figure."""
        pairs = self._pairs(load, figure, other, ours)
        differences = [mine - theirs for mine, theirs in pairs]
        return statistics.median(differences) if differences else None

    def _pairs(self, load: str, figure: str, other: str, ours: str) -> list[tuple[float, float]]:
        rounds = zip(self.figures(load, ours), self.figures(load, other), strict=False)
        return [
            (mine[figure], theirs[figure])
            for mine, theirs in rounds
            if mine and theirs and math.isfinite(mine.get(figure, math.inf)) and figure in theirs
        ]


class Goal(NamedTuple):
    """A bound on a figure of this chat, or on its ratio to another server's."""

    load: str
    figure: str
    description: str
    bound: float
    at_least: bool = False
    other: str | None = None
    ours: str = OURS
    more: bool = False
    """Whether the bound is on the difference, not on the ratio."""

    def measure(self, results: Results) -> float | None:
        if self.other and self.more:
            return results.difference(self.load, self.figure, self.other, self.ours)
        if self.other:
            return results.ratio(self.load, self.figure, self.other, self.ours)
        return results.median(self.load, self.ours, self.figure)

    def is_met(self, measured: float) -> bool:
        return measured >= self.bound if self.at_least else measured <= self.bound


GOALS = [
    Goal("crowd", "deliveries", "at least 20 times Node's deliveries a second", 20, True, "node"),
    Goal("crowd", "deliveries", "at least 12 times Bun's deliveries a second", 12, True, "bun"),
    Goal("crowd", "median", "median latency at most 1/10 of Node's", 0.1, other="node"),
    Goal("room", "deliveries", "at least 10 times Node's deliveries a second", 10, True, "node"),
    Goal("busy", "deliveries", "at least 6 times Node's deliveries a second", 6, True, "node"),
    Goal("busy", "deliveries", "at least 4.5 times Bun's deliveries a second", 4.5, True, "bun"),
    Goal("alone", "cpu", "CPU for each delivery at most Bun's", 1, other="bun"),
    Goal("alone", "median", "median latency at most Node's", 1, other="node"),
    Goal(
        "rate", "rate", "5,000 messages a second, no client closed, p99 at most 20 ms", 5000, True
    ),
    Goal("idle", "memory", "memory for each at most 4 KB", 4),
    Goal("idle", "connect_cpu", "CPU to connect one at most Node's", 1, other="node"),
    Goal("idle", "leave", "all disconnected within 1 s", 1),
    *[
        Goal(
            *(load, "deliveries", f"on SQLite, at least {bound:g} times {other}'s"),
            *(bound, True, other, DURABLE),
        )
        for load, other, bound in [
            *[("crowd", OURS, 0.8), ("crowd", "node", 20), ("crowd", "bun", 12)],
            *[("busy", OURS, 0.8), ("busy", "node", 6), ("busy", "bun", 4.5)],
        ]
    ],
    Goal(
        *("alone", "median", "on SQLite, at most 0.3 ms more median latency than in memory", 0.3),
        other=OURS,
        ours=DURABLE,
        more=True,
    ),
    Goal("log", "appended", "50,000 messages a second, 64 writers", 50_000, True, ours=DURABLE),
    Goal("log", "read", "50 messages out of 10 million read within 1 ms", 1, ours=DURABLE),
    Goal("log", "open", "open with 10 million messages within 0.5 s", 0.5, ours=DURABLE),
    Goal("reconnect", "reconnected", "1,000 reconnected within 5 s", 5, ours=DURABLE),
    Goal("reconnect", "lag", "event loop never blocked for more than 50 ms", 50, ours=DURABLE),
    Goal(
        *("cluster", "deliveries", "two nodes: at least 10 times two Node processes'", 10, True),
        other="pair",
        ours=CLUSTER,
    ),
    Goal(
        *("across", "median", "between nodes at most 2 ms more than at one node, on SQLite", 2),
        other=DURABLE,
        ours=CLUSTER,
        more=True,
    ),
    Goal("across", "median", "… and no more than the Node pair's", 1, other="pair", ours=CLUSTER),
    Goal(
        *("mixed", "deliveries_kept", "half on socket.io 2: at least 0.9 times the deliveries"),
        *(0.9, True),
    ),
    Goal("mixed", "median_kept", "… and at most 1.1 times the median latency", 1.1),
    Goal("arrive", "arrive_cpu", "CPU for each arrival at most Node's", 1, other="node"),
    Goal("attack", "added", "p99 latency at most 50 ms more than without the attack", 50),
    Goal("attack", "disconnected", "… no other client closed", 0),
    Goal("attack", "crashed", "… and no server crashes", 0),
    Goal("stall", "growth", "p99 latency of reading clients at most doubles", 2),
]
