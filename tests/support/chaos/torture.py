"""Kill servers, cut their power and break clusters under load (`make torture`).

It fails if an acknowledged message is lost, repeated or reordered. It runs a set number of rounds
and connects to 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from support.chaos import faults
from support.chaos.load import SETTINGS, Load, check
from support.chaos.powercut import power_cuts
from support.servers import Server, start_process


class Torture:
    """A server that is loaded and killed in rounds, and keeps its store."""

    def __init__(self, folder: Path, seed: int, kind: str = "gunicorn") -> None:
        self.random = random.Random(seed)
        self.server = Server(kind, folder, SETTINGS)
        self.newest = 0
        self.acknowledged = 0

    def round(self) -> None:
        """Load the server, kill it at a random moment, restart it and check its log."""
        load = Load(self.server)
        time.sleep(self.random.uniform(0.1, 0.8))
        os.killpg(self.server.process.pid, signal.SIGKILL)
        load.join()
        self.start()
        self.newest = check(self.server, load.observed(), self.newest)
        self.acknowledged += len(load.observed().acknowledged)

    def start(self) -> None:
        self.server.process.wait()
        kind, log, port = self.server.kind, self.server.log, self.server.port
        self.server.process = start_process(kind, log, port, SETTINGS)
        deadline = time.monotonic() + 20
        while not self.server.is_ready():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)


def torture(folder: Path, rounds: int, seed: int, kind: str = "gunicorn") -> str:
    """Run `rounds` of `Torture` and return a summary."""
    torture = Torture(folder, seed, kind)
    try:
        for _ in range(rounds):
            torture.round()
    finally:
        torture.server.stop()
    return (
        f"{kind} killed {rounds} times: {torture.acknowledged} acknowledged messages, each in the "
        f"log once under its number; the log has {torture.newest}"
    )


def clusters(folder: Path, rounds: int) -> Iterator[str]:
    """Run each fault of a cluster `rounds` times and yield a summary of each."""
    lease, hold = 15.0, 30.0  # seconds, the defaults of NODE_LEASE and NAME_HOLD
    for number in range(rounds):
        for fault in faults.FAULTS:
            for pause in (4.0, lease + 5):
                (place := folder / f"{fault.__name__}-{pause:g}-{number}").mkdir()
                with faults.cluster(place) as cluster:
                    yield faults.check_recovery(cluster, fault, pause)
        (place := folder / f"killed-{number}").mkdir()
        with faults.cluster(place) as cluster:
            yield faults.check_killed_node(cluster, lease, hold)
        (place := folder / f"paused-{number}").mkdir()
        with faults.cluster(place) as cluster:
            yield faults.check_paused_node(cluster, lease)
            yield faults.check_name_race(cluster, 100)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--faults", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(torture(Path(folder), options.rounds, options.seed), flush=True)
            print(power_cuts(Path(folder), (options.cuts + 4) // 5, 5, options.seed), flush=True)
            for line in clusters(Path(folder), options.faults):
                print(line, flush=True)
        except AssertionError as error:
            sys.exit(f"make torture: {str(error) or traceback.format_exc()}")


if __name__ == "__main__":
    main()
