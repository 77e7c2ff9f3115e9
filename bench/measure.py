"""Measure what the server, the load and other processes do in a period of time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench import machine
from bench.clients import ClientPool
from bench.servers import Server

Figures = dict[str, float]

QUIET = 0.3  # seconds without CPU use after which a server counts as idle


class Measurement:
    """Figures of the time from construction until `end`."""

    def __init__(self, server: Server, pool: ClientPool) -> None:
        self.server, self.pool = server, pool
        pool.latencies.clear()
        self.before = self._now()

    def _now(self) -> tuple[float, float, float, float, int]:
        return (
            time.perf_counter(),
            self.server.cpu(),
            time.process_time(),
            machine.idle_seconds(),
            self.pool.delivered,
        )

    def end(self) -> Figures:
        """Return the figures: CPU time per delivery in µs, latencies in ms, shares of one core."""
        elapsed, server, load, idle, delivered = (
            after - before for after, before in zip(self._now(), self.before, strict=True)
        )
        return {
            "deliveries": delivered / elapsed,
            "cpu": server * 1e6 / delivered if delivered else float("inf"),
            "median": percentile(self.pool.latencies, 50),
            "p99": percentile(self.pool.latencies, 99),
            "disconnected": self.pool.disconnected,
            "server_share": server / elapsed,
            "load_share": load / elapsed,
            "others_share": max(2 * elapsed - idle - server - load, 0.0) / elapsed,
        }


def percentile(latencies: list[float], share: int) -> float:
    """Return a percentile of seconds in milliseconds; infinite without deliveries."""
    if len(latencies) < 2:
        return float("inf")
    return statistics.quantiles(latencies, n=100, method="inclusive")[share - 1] * 1000


def quiet(server: Server, within: float = 40.0) -> Iterator[float]:
    """Yield the time at which the server last used CPU, until it is idle or the time is up."""
    began = busy_at = time.monotonic()
    used = server.cpu()
    while time.monotonic() < min(busy_at + QUIET, began + within):
        yield busy_at
        time.sleep(0.02)
        now = server.cpu()
        if now > used + machine.TICK:
            used, busy_at = now, time.monotonic()
