"""Run loads on servers in turn and report the figures (`make bench`)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Collection

from bench import machine, servers
from bench.errors import BenchError
from bench.loads import LOADS
from bench.measure import Figures
from bench.report import report
from bench.results import Results

RESULTS_FILE = servers.HERE / "results.md"
SPARE_FILES = 500
ROUNDS, SECONDS = 3, 4.0


def main() -> None:
    options = read_options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        results = run(options)
        text = report(results, options.rounds, options.seconds, options.clients)
        if options.write:
            RESULTS_FILE.write_text(text)
        print("\n" + text, flush=True)
    except BenchError as error:
        sys.exit(f"make bench: {error}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit("make bench: stopped, because its output was closed")


def stop(*_: object) -> None:
    """Stop the running server and exit; further signals don't interrupt that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit("make bench: stopped")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--loads", type=one_of(LOADS), help="some of " + ",".join(LOADS))
    parser.add_argument(
        "--servers", type=one_of(servers.KINDS), help="some of " + ",".join(servers.KINDS)
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS} by default")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of each load; {SECONDS:g} by default"
    )
    parser.add_argument("--clients", type=int, help="for each load, instead of its default number")
    parser.add_argument(
        "--write", action="store_true", help="write bench/results.md, as a full run does"
    )
    options = parser.parse_args()
    options.write |= len(sys.argv) == 1
    options.loads = options.loads or list(LOADS)
    options.servers = options.servers or list(servers.KINDS)
    return options


def one_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} isn't one of {', '.join(known)}")
        return found

    return names


def run(options: argparse.Namespace) -> Results:
    server_core, load_core = machine.cores()
    max_clients = max(options.clients or LOADS[load].clients for load in options.loads)
    machine.raise_open_files(max_clients + SPARE_FILES)
    servers.prepare(options.servers)
    results = Results()
    with machine.pinned(load_core):
        for round_ in range(1, options.rounds + 1):
            for load in options.loads:
                for name in options.servers:
                    if name not in LOADS[load].servers:
                        continue
                    outcome = run_one(load, name, server_core, options)
                    results.add(load, name, outcome)
                    print(f"{round_} {load} {name}: {brief(outcome)}", flush=True)
    return results


def run_one(load: str, name: str, core: int, options: argparse.Namespace) -> Figures | str:
    """Return figures, or the reason of a failure."""
    clients = options.clients or LOADS[load].clients
    try:
        limited = LOADS[load].limited
        with servers.Server(name, core, LOADS[load].module, limited=limited) as server:
            try:
                return LOADS[load].run(server, options.seconds, clients)
            except OSError as error:
                return server.last_log_line() if server.has_ended() else str(error)
    except BenchError as error:
        return str(error)


def brief(outcome: Figures | str) -> str:
    if isinstance(outcome, str):
        return f"failed: {outcome}"
    return ", ".join(f"{key} {value:.4g}" for key, value in outcome.items() if ":" not in key)


if __name__ == "__main__":
    main()
