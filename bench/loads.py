"""The loads: what each does to a server, and the figures that it gives."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator

from bench import machine
from bench.load import Crowd
from bench.servers import Server

Figures = dict[str, float]

WARM_UP = 1.0  # seconds at least
LISTENERS = 20
RATES = (500, 1000, 2000, 3000, 4000, 5000)  # messages a second
RATE_P99 = 20.0  # milliseconds
QUIET = 0.3  # seconds without work after which a server has done with what it had to do


class Stretch:
    """What server, load and others did from its making until `end`."""

    def __init__(self, server: Server, crowd: Crowd) -> None:
        self.server, self.crowd = server, crowd
        crowd.latencies.clear()
        self.before = self._now()

    def _now(self) -> tuple[float, float, float, float, int]:
        return (
            time.perf_counter(),
            self.server.cpu(),
            time.process_time(),
            machine.busy_seconds(),
            self.crowd.heard,
        )

    def end(self) -> Figures:
        elapsed, server, load, busy, heard = (
            after - before for after, before in zip(self._now(), self.before, strict=True)
        )
        return {
            "deliveries": heard / elapsed,
            "cpu": server * 1e6 / max(heard, 1),  # microseconds for each
            "median": percentile(self.crowd.latencies, 50),  # milliseconds, as the next
            "p99": percentile(self.crowd.latencies, 99),
            "cut": self.crowd.cut,
            "server_share": server / elapsed,
            "load_share": load / elapsed,
            "others_share": max(busy - server - load, 0) / elapsed,
        }


def percentile(latencies: list[float], share: int) -> float:
    """In milliseconds; infinite where nothing was heard."""
    if len(latencies) < 2:
        return float("inf")
    return statistics.quantiles(latencies, n=100, method="inclusive")[share - 1] * 1000


def crowded(server: Server, clients: int, senders: int) -> Crowd:
    crowd = Crowd(server.port)
    crowd.connect(clients)
    crowd.cast(senders, min(LISTENERS, clients - senders))
    gc.collect()
    gc.freeze()
    return crowd


def alone(server: Server, seconds: float, clients: int = 100) -> Figures:
    """One message at a time: the next once all have heard the last."""
    with crowded(server, clients, senders=1) as crowd:

        def talk(until: float) -> None:
            while time.monotonic() < until:
                wanted = crowd.heard + len(crowd.clients)
                crowd.say(crowd.senders[0])
                while crowd.heard < wanted and time.monotonic() < until:
                    crowd.turn(0.1)
            while crowd.heard < wanted:
                crowd.turn(0.1)

        talk(time.monotonic() + WARM_UP)
        stretch = Stretch(server, crowd)
        talk(time.monotonic() + seconds)
        return stretch.end()


def in_flight(crowd: Crowd, flight: int) -> Callable[[float], None]:
    """Let each sender have `flight` messages under way; the result carries on until a time."""
    for _ in range(flight):
        for sender in crowd.senders:
            crowd.say(sender)

    def carry_on(until: float) -> None:
        while time.monotonic() < until:
            crowd.turn(0.1)
            for sender in crowd.returned:
                crowd.say(sender)

    # Latencies are steady once the first messages are through.
    began = time.monotonic()
    carry_on(began + WARM_UP)
    while min(s.said for s in crowd.senders) < 2 * flight and time.monotonic() < began + 6:
        carry_on(time.monotonic() + 0.1)
    return carry_on


def flights(clients: int, senders: int, flight: int) -> Callable[..., Figures]:
    def load(server: Server, seconds: float, clients: int = clients) -> Figures:
        with crowded(server, clients, senders) as crowd:
            carry_on = in_flight(crowd, flight)
            stretch = Stretch(server, crowd)
            carry_on(time.monotonic() + seconds)
            return stretch.end()

    return load


busy = flights(clients=100, senders=4, flight=8)
room = flights(clients=1000, senders=4, flight=4)
crowd = flights(clients=1000, senders=50, flight=4)


def idle(server: Server, _seconds: float, clients: int = 8000) -> Figures:
    """Connect, stay, leave at once; nobody says anything."""
    with Crowd(server.port) as first:  # what is loaded once isn't a connection's
        first.connect(200)
    for _ in quiet(server):
        pass
    with Crowd(server.port) as crowd:
        files, memory = server.open_files(), server.memory()
        stretch = Stretch(server, crowd)
        crowd.connect(clients)
        for _ in quiet(server):
            crowd.turn(0.05)
        figures = stretch.end()
        connecting = server.cpu() - stretch.before[1]
        held = server.memory() - memory
        return {
            "memory": held / 1000 / clients,  # KB for each
            "connect_cpu": connecting * 1e6 / clients,  # microseconds for each
            **leave(server, crowd, files),
            "load_share": figures["load_share"],
            "others_share": figures["others_share"],
            "cut": crowd.cut,
        }


def leave(server: Server, crowd: Crowd, files: int) -> Figures:
    """How long until a server has only `files` open again and rests, and its CPU for that."""
    before, began = server.cpu(), time.monotonic()
    crowd.leave()
    gone = began
    for busy_until in quiet(server):
        if server.open_files() > files:
            gone = time.monotonic()
        rests = busy_until
    return {"leave": max(gone, rests) - began, "leave_cpu": server.cpu() - before}


def quiet(server: Server, within: float = 40.0) -> Iterator[float]:
    """Until a server rests, at each look, when it was last seen to work."""
    began = worked = time.monotonic()
    used = server.cpu()
    while time.monotonic() < min(worked + QUIET, began + within):
        yield worked
        time.sleep(0.02)
        now = server.cpu()
        if now > used + machine.TICK:
            used, worked = now, time.monotonic()


def stall(server: Server, seconds: float, clients: int = 1000) -> Figures:
    """`room`, and then a third of its clients stop reading: what's that to the others?"""
    with crowded(server, clients, senders=4) as crowd:
        carry_on = in_flight(crowd, 4)
        stretch = Stretch(server, crowd)
        carry_on(time.monotonic() + seconds)
        before = stretch.end()
        crowd.stall(clients // 3)
        stretch = Stretch(server, crowd)
        carry_on(time.monotonic() + seconds)
        after = stretch.end()
        return after | {"before": before["p99"], "growth": after["p99"] / before["p99"]}


def rate(server: Server, seconds: float, clients: int = 100) -> Figures:
    """Senders who wait for nothing, at one rate after another, to the highest that holds."""
    figures: Figures = {"rate": 0}
    with crowded(server, clients, senders=10) as crowd:
        open_rate(crowd, RATES[0], WARM_UP)
        for step in RATES:
            stretch = Stretch(server, crowd)
            wanted = open_rate(crowd, step, seconds / 2)
            kept_up = crowd.heard >= wanted
            end = stretch.end()
            figures |= {f"{name}@{step}": end[name] for name in ("median", "p99")}
            figures |= {name: end[name] for name in ("cut", "load_share", "others_share")}
            if crowd.cut or not kept_up:
                break
            if end["p99"] <= RATE_P99:
                figures["rate"] = step
    return figures


def open_rate(crowd: Crowd, messages: int, seconds: float) -> int:
    """Say so many `messages` a second; what should then have been heard, half a second later."""
    began = time.monotonic()
    said, wanted = 0, crowd.heard
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * messages) + 1
        while said < due and crowd.senders:
            crowd.say(crowd.senders[said % len(crowd.senders)])
            said += 1
        crowd.turn(max(0.0, began + said / messages - time.monotonic()))
    wanted += said * len(crowd.clients)
    while crowd.heard < wanted and time.monotonic() < began + seconds + 0.5:
        crowd.turn(0.05)
    return wanted


LOADS: dict[str, Callable[[Server, float], Figures]] = {
    "alone": alone,
    "busy": busy,
    "room": room,
    "crowd": crowd,
    "rate": rate,
    "idle": idle,
    "stall": stall,
}
