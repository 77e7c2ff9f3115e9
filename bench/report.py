"""Write the results as Markdown (bench/results.md)."""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
import textwrap
import time
from collections.abc import Iterator
from importlib.metadata import version

from bench import machine, servers
from bench.loads import LOADS, RATES, SIZES
from bench.results import GOALS, OURS, Goal, Results

EACH = {
    "deliveries": "deliveries a second",
    "cpu": "server CPU for each delivery, µs",
    "median": "median latency, ms",
    "p99": "p99 latency, ms",
}
FIGURES = {
    **EACH,
    "rate": "highest rate held, messages a second",
    **{
        f"{figure}@{step}": f"{name} latency at {step:,}, ms"
        for step in RATES
        for figure, name in (("median", "median"), ("p99", "p99"))
    },
    **{
        f"{figure}#{size}": f"{name}, {size:,} clients"
        for figure, name in EACH.items()
        for size in SIZES
    },
    "memory": "memory for each, KB",
    "connect_cpu": "CPU to connect one, µs",
    "leave": "all disconnected after, s",
    "leave_cpu": "CPU to disconnect them, s",
    "before": "p99 latency before, ms",
    "growth": "p99 latency, compared with before",
    "deliveries_kept": "deliveries a second, compared with before",
    "median_kept": "median latency, compared with before",
    "cpu_kept": "server CPU for each delivery, compared with before",
    "evicted": "clients closed by the server",
    "appended": "messages a second into the log",
    "keyed": "the same with unique keys",
    "read": "read of 50 messages by number, median, ms",
    "read_p99": "the same, p99, ms",
    "open": "open the file, s",
    "reconnected": "all reconnected after, s",
    "reconnect_cpu": "server CPU to reconnect them, s",
    "slowest": "slowest answer to another client meanwhile, ms",
    "lag": "longest time that the event loop was blocked, ms",
    "arrivals": "arrivals a second",
    "arrive": "all connected and named after, s",
    "arrive_cpu": "server CPU for each arrival, µs",
    "added": "greatest increase of p99 latency by an attack, ms",
    "crashed": "attacks that ended a process of the server",
    "disconnected": "reading clients closed by the server",
    "load_share": "the load's share of its core, %",
    "others_share": "CPU of other processes, % of one core",
}
IN_STALL = {"p99": "p99 latency of reading clients, ms"}
HIDDEN = {"stall": {"deliveries", "cpu", "median"}}
LATENCIES = ("median", "p99", "longest")
BUSY_LOAD = 0.97  # of its core
BUSY_OTHERS = 0.1


def report(results: Results, rounds: int, seconds: float, clients: int | None) -> str:
    parts = [
        "# Results of `make bench`",
        "\n".join(circumstances(rounds, seconds)),
        "## Goals",
        "\n".join(goals(results)),
        *(section(results, load, clients) for load in results.loads()),
        "## Notes",
        "\n".join(notes(results)),
    ]
    return "\n\n".join(parts) + "\n"


def circumstances(rounds: int, seconds: float) -> Iterator[str]:
    server_core, load_core = machine.cores()
    yield wrap(
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}, on {machine.model()} with "
        f"{os.cpu_count()} cores, Linux {platform.release()}. The server ran on core "
        f"{server_core}, the load on core {load_core}. `make bench` repeats the measurement. "
        "`bench/loads.py` defines the loads; `bench/clients.py` and `bench/measure.py` measure."
    )
    yield ""
    yield "| server | description |"
    yield "|---|---|"
    for name, kind in servers.KINDS.items():
        yield f"| {name} | {kind.description} |"
    yield ""
    yield wrap(f"Versions: {', '.join(versions())}.")
    yield ""
    yield wrap(
        f"Figures are medians of {rounds} rounds of {seconds:g} s for each load, with the least "
        "and the greatest in brackets. In each round the servers run in turn, newly started. A "
        "ratio is the median of the rounds' ratios. Clients use WebSocket only. Messages have 64 "
        "bytes and ask for an acknowledgement. A delivery is one message to one client."
    )
    yield ""
    yield wrap(
        "**This chat's rate limits are turned off**, because the other servers have none. Only the "
        "load `attack` keeps them."
    )


def wrap(text: str) -> str:
    """Wrap a paragraph of Markdown at 100 columns."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def versions() -> Iterator[str]:
    yield f"chatapp at {commit()}"
    yield f"Python {platform.python_version()}"
    for package in ("gunicorn", "gevent", "Flask-SocketIO", "python-socketio", "python-engineio"):
        yield f"{package} {version(package)}"
    yield f"gevent-websocket {version('gevent-websocket')}"
    yield f"Node {output_of(['node', '--version']).removeprefix('v')}"
    for package in servers.PACKAGES:
        yield f"{package} {servers.installed(package) or '(missing)'}"


def commit() -> str:
    changed = output_of(
        ["git", "status", "--porcelain", "--", "chatapp", "wsgi.py", "gunicorn.conf.py"]
    )
    return output_of(["git", "rev-parse", "--short", "HEAD"]) + (" with changes" if changed else "")


def output_of(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, cwd=servers.ROOT, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return "(missing)"
    return done.stdout.strip()


def goals(results: Results) -> Iterator[str]:
    yield "| load | goal | measured | | rounds |"
    yield "|---|---|---|---|---|"
    for goal in GOALS:
        measured = goal.measure(results)
        rounds = len(results.values(goal.load, goal.ours, goal.figure))
        if measured is None:
            shown, verdict = "-", "not measured"
        else:
            shown = with_others(results, goal)
            if goal.other:
                shown = f"{number(measured)} " + (
                    "ms more" if goal.more else f"times {goal.other}'s"
                )
            verdict = "met" if goal.is_met(measured) else "**missed**"
        yield f"| {goal.load} | {goal.description} | {shown} | {verdict} | {rounds} |"


def with_others(results: Results, goal: Goal) -> str:
    """Return this chat's figure with those of the other servers."""
    figures = {
        server: results.median(goal.load, server, goal.figure)
        for server in results.servers(goal.load)
    }
    shown = {server: number(figure) for server, figure in figures.items() if figure is not None}
    others = ", ".join(f"{name} {figure}" for name, figure in shown.items() if name != goal.ours)
    return shown[goal.ours] + (f" ({others})" if others else "")


def section(results: Results, load: str, clients: int | None) -> str:
    tables = [table(results, load, clients), *(attack_tables(results) if load == "attack" else [])]
    return "\n\n".join([f"## {load}", *tables])


def table(results: Results, load: str, clients: int | None) -> str:
    names = results.servers(load)
    others = [name for name in ("node", "bun") if OURS in names and name in names]
    head = ["", *names, *(f"{OURS} / {other}" for other in others)]
    lines = [
        wrap(LOADS[load].description.format(clients=f"{clients or LOADS[load].clients:,}") + "."),
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
    ]
    for figure, name in FIGURES.items():
        if figure in HIDDEN.get(load, ()):
            continue
        is_share = figure.endswith("_share")
        cells = [cell(results.values(load, server, figure), is_share) for server in names]
        if not any(cells):
            continue
        for other in others:
            ratio = None if is_share else results.ratio(load, figure, other)
            cells.append("" if ratio is None else number(ratio))
        shown = IN_STALL.get(figure, name) if load == "stall" else name
        lines.append(f"| {shown} | {' | '.join(each or '-' for each in cells)} |")
    return "\n".join(lines)


def attack_tables(results: Results) -> Iterator[str]:
    """Return tables of latencies and of resources, with a row for each attack."""
    names = results.servers("attack")
    if not attacks(results):
        return
    lines = [
        "Latency in ms, median / p99 / longest, without the attack → with it:",
        "The server's CPU during the attack in % of a core; its memory before, at most and after, "
        "in MB; the attacker's data in MB, its connections, and how many of these the server "
        "refused or closed:",
    ]
    for line, show in zip(lines, (latencies_of, resources_of), strict=True):
        rows = [wrap(line), "", f"|  | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for attack in attacks(results):
            cells = [show(results, server, attack) for server in names]
            if any(cells):
                rows.append(f"| {attack} | {' | '.join(each or '-' for each in cells)} |")
        yield "\n".join(rows)


def attacks(results: Results) -> list[str]:
    """Return the measured attacks in order."""
    found: dict[str, None] = {}
    for server in results.servers("attack"):
        for figures in results.figures("attack", server):
            keys = [key.partition(":") for key in figures or ()]
            found |= {attack: None for figure, _, attack in keys if attack and figure == "p99"}
    return list(found)


def latencies_of(results: Results, server: str, attack: str) -> str:
    """Return `1 / 2 / 3 → 4 / 5 / 6`, and the harm to the bystanders and the server."""

    def median(figure: str) -> float:
        return results.median("attack", server, f"{figure}:{attack}") or 0.0

    if not results.values("attack", server, f"p99:{attack}"):
        return ""
    before = " / ".join(number(median(f"{figure}_before")) for figure in LATENCIES)
    during = " / ".join(number(median(figure)) for figure in LATENCIES)
    worst = {
        figure: max(results.values("attack", server, f"{figure}:{attack}"))
        for figure in ("undelivered", "disconnected", "crashed")
    }
    remarks = [
        *([f"{100 * worst['undelivered']:.0f}% lost"] if worst["undelivered"] >= 0.005 else []),
        *([f"**{worst['disconnected']:.0f} disconnected**"] if worst["disconnected"] else []),
        *(["**the server crashed**"] if worst["crashed"] else []),
    ]
    return ", ".join([f"{before} → {during}", *remarks])


def resources_of(results: Results, server: str, attack: str) -> str:
    """Return `50%; 40, 60, 50 MB; 2 MB over 3, 2 closed`."""
    figures = {
        figure: results.median("attack", server, f"{figure}:{attack}")
        for figure in (
            *("cpu_share", "memory_before", "memory", "memory_after"),
            *("sent", "connects", "attacker_disconnected"),
        )
    }
    shown = {figure: value for figure, value in figures.items() if value is not None}
    if not shown:
        return ""
    memory = ", ".join(f"{shown[each]:.0f}" for each in ("memory_before", "memory", "memory_after"))
    closed = (
        f", {shown['attacker_disconnected']:.0f} closed" if shown["attacker_disconnected"] else ""
    )
    return (
        f"{100 * shown['cpu_share']:.0f}%; {memory} MB; "
        f"{number(shown['sent'])} MB over {shown['connects']:.0f}{closed}"
    )


def cell(values: list[float], is_share: bool) -> str:
    if not values:
        return ""
    of_all = (statistics.median(values), min(values), max(values))
    middle, least, greatest = (f"{100 * v:.0f}" if is_share else number(v) for v in of_all)
    return middle if least == greatest else f"{middle} ({least} to {greatest})"


def number(value: float) -> str:
    """Format a number with at least three digits."""
    if not math.isfinite(value):
        return "∞"
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def notes(results: Results) -> Iterator[str]:
    """List the failed runs, and those that the load or other processes may have slowed."""
    noted = False
    for (load, server), outcomes in results.runs.items():
        for turn, outcome in enumerate(outcomes, 1):
            where = f"- {load}, {server}, round {turn}:"
            if isinstance(outcome, str):
                yield f"{where} failed: {outcome}"
            elif outcome.get("others_share", 0) > BUSY_OTHERS:
                yield f"{where} other processes used {outcome['others_share']:.0%} of a core"
            elif outcome.get("load_share", 0) > BUSY_LOAD:
                yield f"{where} the load's core was full, so the server may be faster"
            else:
                continue
            noted = True
    if not noted:
        yield "All runs succeeded. The load's core was never full, and other processes were idle."
