"""What server, load and others do for a while, as figures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench import machine
from bench.load import Crowd
from bench.servers import Server

Figures = dict[str, float]

QUIET = 0.3  # seconds without work after which a server has done with what it had to do


class Stretch:
    """From its making until `end`."""

    def __init__(self, server: Server, crowd: Crowd) -> None:
        self.server, self.crowd = server, crowd
        crowd.latencies.clear()
        self.before = self._now()

    def _now(self) -> tuple[float, float, float, float, int]:
        return (
            time.perf_counter(),
            self.server.cpu(),
            time.process_time(),
            machine.idle_seconds(),
            self.crowd.heard,
        )

    def end(self) -> Figures:
        """Times are a delivery's: microseconds of the server's CPU, milliseconds of latency.

        Shares are of one core.
        """
        elapsed, server, load, idle, heard = (
            after - before for after, before in zip(self._now(), self.before, strict=True)
        )
        return {
            "deliveries": heard / elapsed,
            "cpu": server * 1e6 / heard if heard else float("inf"),
            "median": percentile(self.crowd.latencies, 50),
            "p99": percentile(self.crowd.latencies, 99),
            "cut": self.crowd.cut,
            "server_share": server / elapsed,
            "load_share": load / elapsed,
            "others_share": max(2 * elapsed - idle - server - load, 0.0) / elapsed,
        }


def percentile(latencies: list[float], share: int) -> float:
    """In milliseconds, of seconds; infinite where nothing was heard."""
    if len(latencies) < 2:
        return float("inf")
    return statistics.quantiles(latencies, n=100, method="inclusive")[share - 1] * 1000


def quiet(server: Server, within: float = 40.0) -> Iterator[float]:
    """Until a server rests, or `within` seconds: at each look, when it was last seen to work."""
    began = worked = time.monotonic()
    used = server.cpu()
    while time.monotonic() < min(worked + QUIET, began + within):
        yield worked
        time.sleep(0.02)
        now = server.cpu()
        if now > used + machine.TICK:
            used, worked = now, time.monotonic()
