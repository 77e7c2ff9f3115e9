"""A server is killed again and again under load, and its disk's power cut, a cluster's parts fail
with the bounds of real life, and nothing that was acknowledged is lost (make torture). Bounded in
rounds; talks to this machine alone.
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
from support.servers import Server, launch


class Torture:
    """A server with its store, killed in rounds."""

    def __init__(self, folder: Path, seed: int, kind: str = "gunicorn") -> None:
        self.random = random.Random(seed)
        self.server = Server(kind, folder, SETTINGS)
        self.newest = 0
        self.acknowledged = 0

    def round(self) -> None:
        """Load it, kill it at a random moment, start it, and look at what it has."""
        load = Load(self.server)
        time.sleep(self.random.uniform(0.1, 0.8))
        os.killpg(self.server.process.pid, signal.SIGKILL)
        load.join()
        self.start()
        self.newest = check(self.server, load.seen(), self.newest)
        self.acknowledged += len(load.seen().acknowledged)

    def start(self) -> None:
        self.server.process.wait()
        kind, log, port = self.server.kind, self.server.log, self.server.port
        self.server.process = launch(kind, log, port, SETTINGS)
        deadline = time.monotonic() + 20
        while not self.server.answers():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)


def torture(folder: Path, rounds: int, seed: int, kind: str = "gunicorn") -> str:
    """`rounds` of Torture; a line on what was seen."""
    torture = Torture(folder, seed, kind)
    try:
        for _ in range(rounds):
            torture.round()
    finally:
        torture.server.stop()
    return (
        f"{kind}: killed {rounds} times; {torture.acknowledged} messages acknowledged meanwhile, "
        f"all there, each once and under its number, in a log of {torture.newest}"
    )


def clusters(folder: Path, rounds: int) -> Iterator[str]:
    """A cluster's parts fail, `rounds` times each; a line on what was seen of each."""
    lease, hold = 15.0, 30.0  # seconds, as they are unless set
    for number in range(rounds):
        for fault in faults.FAULTS:
            for pause in (4.0, lease + 5):
                (place := folder / f"{fault.__name__}-{pause:g}-{number}").mkdir()
                with faults.cluster(place) as cluster:
                    yield faults.goes_on_after(cluster, fault, pause)
        (place := folder / f"killed-{number}").mkdir()
        with faults.cluster(place) as cluster:
            yield faults.a_node_is_killed(cluster, lease, hold)
        (place := folder / f"still-{number}").mkdir()
        with faults.cluster(place) as cluster:
            yield faults.a_node_stands_still(cluster, lease)
            yield faults.two_hundred_want_a_name(cluster, 100)


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
