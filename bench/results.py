"""What was seen, run by run; medians over the rounds, ratios, and which goals are met."""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

from bench.measure import Figures

OURS = "chatapp"
DURABLE = "durable"  # the same on SQLite
CLUSTER = "cluster"  # two nodes on Redis


class Results:
    """Figures, or the reason why there are none, of each load, server and round."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], list[Figures | str]] = {}

    def add(self, load: str, server: str, outcome: Figures | str) -> None:
        self.runs.setdefault((load, server), []).append(outcome)

    def loads(self) -> list[str]:
        return list(dict.fromkeys(load for load, _ in self.runs))

    def servers(self, load: str) -> list[str]:
        return [server for each, server in self.runs if each == load]

    def figures(self, load: str, server: str) -> list[Figures | None]:
        """Those of each round, None where it failed."""
        runs = self.runs.get((load, server), [])
        return [None if isinstance(outcome, str) else outcome for outcome in runs]

    def values(self, load: str, server: str, figure: str) -> list[float]:
        rounds = self.figures(load, server)
        return [figures[figure] for figures in rounds if figures and figure in figures]

    def median(self, load: str, server: str, figure: str) -> float | None:
        values = self.values(load, server, figure)
        return statistics.median(values) if values else None

    def ratio(self, load: str, figure: str, other: str, ours: str = OURS) -> float | None:
        """The median of the rounds' ratios of ours to the `other` server's."""
        ratios = [
            mine / theirs for mine, theirs in self._pairs(load, figure, other, ours) if theirs
        ]
        return statistics.median(ratios) if ratios else None

    def difference(self, load: str, figure: str, other: str, ours: str) -> float | None:
        """The median of the rounds' differences between ours and the `other` server's."""
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
    """That a figure of ours, or its ratio to another server's, is on the right side of a bound."""

    load: str
    figure: str
    wanted: str
    bound: float
    at_least: bool = False
    other: str | None = None
    ours: str = OURS
    more: bool = False
    """Whether the bound is on the difference to the other, not on the ratio."""

    def seen(self, results: Results) -> float | None:
        if self.other and self.more:
            return results.difference(self.load, self.figure, self.other, self.ours)
        if self.other:
            return results.ratio(self.load, self.figure, self.other, self.ours)
        return results.median(self.load, self.ours, self.figure)

    def met(self, seen: float) -> bool:
        return seen >= self.bound if self.at_least else seen <= self.bound


GOALS = [
    Goal("crowd", "deliveries", "at least 20 times Node's deliveries a second", 20, True, "node"),
    Goal("crowd", "deliveries", "at least 12 times Bun's deliveries a second", 12, True, "bun"),
    Goal("crowd", "median", "median latency at most 1/10 of Node's", 0.1, other="node"),
    Goal("room", "deliveries", "at least 10 times Node's deliveries a second", 10, True, "node"),
    Goal("busy", "deliveries", "at least 6 times Node's deliveries a second", 6, True, "node"),
    Goal("busy", "deliveries", "at least 4.5 times Bun's deliveries a second", 4.5, True, "bun"),
    Goal("alone", "cpu", "CPU for each delivery at most Bun's", 1, other="bun"),
    Goal("alone", "median", "median latency at most Node's", 1, other="node"),
    Goal("rate", "rate", "5,000 messages a second, nobody cut, p99 at most 20 ms", 5000, True),
    Goal("idle", "memory", "memory for each at most 4 KB", 4),
    Goal("idle", "connect_cpu", "CPU to connect one at most Node's", 1, other="node"),
    Goal("idle", "leave", "all have left within 1 s", 1),
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
    Goal("back", "back", "1,000 back within 5 s", 5, ours=DURABLE),
    Goal("back", "lag", "the loop never blocked for more than 50 ms", 50, ours=DURABLE),
    Goal(
        *("cluster", "deliveries", "two nodes: at least 10 times two Node processes'", 10, True),
        other="pair",
        ours=CLUSTER,
    ),
    Goal(
        *("across", "median", "from node to node at most 2 ms more than at one, on SQLite", 2),
        other=DURABLE,
        ours=CLUSTER,
        more=True,
    ),
    Goal("across", "median", "… and no more than the Node pair's", 1, other="pair", ours=CLUSTER),
    Goal(
        *("mixed", "deliveries_kept", "half of all on socket.io 2: at least 0.9 times as many"),
        *(0.9, True),
    ),
    Goal("mixed", "median_kept", "… and at most 1.1 times the median latency", 1.1),
    Goal("arrive", "arrive_cpu", "CPU for each arrival at most Node's", 1, other="node"),
    Goal("attack", "added", "p99 latency at most 50 ms more than without the attack", 50),
    Goal("attack", "cut", "… no bystander cut", 0),
    Goal("attack", "ended", "… and the server survives", 0),
    Goal("stall", "growth", "the others' p99 latency at most doubles", 2),
]
