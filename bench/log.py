"""Measure the log without a server: appends, and reads of a large file.

`python -m bench.log FOLDER SECONDS` prints figures as JSON. It runs in its own process and under
gevent, like the server.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import sqlite3  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from contextlib import closing  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from bench.frames import TEXT_BYTES  # noqa: E402
from bench.measure import percentile  # noqa: E402
from chatapp.chat.log import Draft, Retention  # noqa: E402
from chatapp.store.sqlite.log import SQLiteLog  # noqa: E402

WRITERS = 64
MESSAGES = 10_000_000
READS = 1000
ALL = Retention(0, 0)
FILL = """
    WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT ?)
    INSERT INTO messages SELECT 1, value, value, 'Ann', printf('%{size}d', value), 'ann',
    printf('key-%08d', value) FROM n
"""


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    small = folder / "small.sqlite3"
    figures = {
        "appended": append(small, seconds, keys=False),
        "keyed": append(small, seconds, keys=True),
        **measure_reads(large_file(folder)),
    }
    print(json.dumps(figures))


def append(path: Path, seconds: float, *, keys: bool) -> float:
    """Return the messages a second of WRITERS, each of which waits for its last append."""
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    log = SQLiteLog(path, ALL)
    log.open()
    until = time.monotonic() + seconds

    def write(number: int) -> int:
        count = 0
        while time.monotonic() < until:
            key = f"key-{number:02}-{count:08}" if keys else ""
            log.append(Draft("lobby", "Ann", "x" * TEXT_BYTES, key))
            count += 1
        return count

    writers = [gevent.spawn(write, number) for number in range(WRITERS)]
    written = sum(writer.get() for writer in writers)
    log.close()
    return written / seconds


def large_file(folder: Path) -> Path:
    """Return a file with MESSAGES messages in one room, which is created once."""
    path = folder / "large.sqlite3"
    if not path.exists():
        log = SQLiteLog(path, ALL)
        log.open()
        log.close()
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("INSERT INTO rooms VALUES (1, 'lobby', ?, ?)", (MESSAGES, MESSAGES))
            database.execute(FILL.format(size=TEXT_BYTES), (MESSAGES,))
        os.sync()  # so that opening the file doesn't measure this
    return path


def measure_reads(path: Path) -> dict[str, float]:
    """Return the seconds to open the file and the milliseconds to read 50 messages."""
    began = time.perf_counter()
    log = SQLiteLog(path, ALL)
    log.open()
    opened = time.perf_counter() - began
    took = []
    for _ in range(READS):
        since = random.randrange(MESSAGES - 50)  # noqa: S311 (not a secret)
        began = time.perf_counter()
        page = log.read("lobby", since=since)
        took.append(time.perf_counter() - began)
        assert [entry.id for entry in page.entries] == list(range(since + 1, since + 51))
    log.close()
    return {"open": opened, "read": percentile(took, 50), "read_p99": percentile(took, 99)}


if __name__ == "__main__":
    main()
