"""`python -m bench`: run loads on servers, in turns, and tell what was seen."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from bench import machine, servers
from bench.errors import BenchError
from bench.loads import LOADS

OPEN_FILES = 9000


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--servers", default=",".join(servers.KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--clients", type=int)
    options = parser.parse_args()
    names, loads = options.servers.split(","), options.loads.split(",")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        servers_core, load_core = machine.cores()
        machine.raise_open_files(OPEN_FILES)
        servers.prepare(names)
        os.sched_setaffinity(0, {load_core})
        for _ in range(options.rounds):
            for load in loads:
                for name in names:
                    try:
                        with servers.Server(name, servers_core) as server:
                            more = {"clients": options.clients} if options.clients else {}
                            figures = LOADS[load](server, options.seconds, **more)
                            print(
                                load, name, {k: round(v, 2) for k, v in figures.items()}, flush=True
                            )
                    except BenchError as error:
                        print(load, name, error, flush=True)
    except BenchError as error:
        sys.exit(f"make bench: {error}")


if __name__ == "__main__":
    main()
