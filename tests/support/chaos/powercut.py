"""Power cuts of a disk under a loaded server, simulated from traces of its system calls.

Use `power_cuts` (tests/servers/test_crash.py, `make torture`).

strace records each write and each sync of the server, with its time. `restore` builds the files
that a disk may have after a power cut at some moment. These have all writes before the last sync
that had completed, and any subset of the sectors that were written later.
A file's name is on the disk once the file or its folder was synced, as in Linux's file systems.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.chaos.load import SETTINGS, Load, Observed, check
from support.servers import Server

SECTOR = 512
CALLS = "openat,pwrite64,ftruncate,unlink,fsync,fdatasync"
OTHERS = "pwritev,pwritev2,write,fallocate,truncate,rename,renameat,renameat2,unlinkat"
LINE = re.compile(
    rb"(?P<start>[\d.]+) (?P<name>\w+)\((?P<rest>.*)\) = (?P<result>-?\d+)[^<]*"
    rb"(?:<(?P<path>[^>]*)>)?.* <(?P<took>[\d.]+)>"
)
FD = re.compile(rb"\d+<(?P<path>[^>]*)>[^,]*(?:, (?P<rest>.*))?")


class Call(NamedTuple):
    """A system call that may have changed a file, from `start` to `end` (s since 1970).

    `pwrite64` writes `data` at `offset`; `ftruncate` sets the size to `offset` bytes.
    """

    start: float
    end: float
    name: str
    path: Path
    offset: int = 0
    data: bytes = b""


def strace(folder: Path) -> list[str]:
    """Return the strace command that runs another command and writes traces for `calls`."""
    options = ["-ff", "--seccomp-bpf", "-ttt", "-T", "-y", "-xx", "-s", "16777216"]
    return ["strace", *options, "-e", f"trace={CALLS},{OTHERS}", "-o", str(folder / "trace")]


def calls(traces: Path, folder: Path) -> list[Call]:
    """Return the system calls on the files of `folder`, in order."""
    found = [call for trace in traces.glob("trace.*") for call in parse_trace(trace)]
    return sorted(call for call in found if folder in (call.path, call.path.parent))


def parse_trace(trace: Path) -> Iterator[Call]:
    with trace.open("rb") as lines:
        for text in lines:
            line = LINE.match(text)
            if line is None or int(line["result"]) < 0:
                continue
            name, start = line["name"].decode(), float(line["start"])
            when = (start, start + float(line["took"]), name)
            if name == "unlink":
                yield Call(*when, path_of(line["rest"]))
            elif name == "openat":
                if b"O_CREAT" in line["rest"]:
                    yield Call(*when, path_of(line["path"]))
            else:
                yield from parse_file_call(when, line["rest"])


def parse_file_call(when: tuple[float, float, str], arguments: bytes) -> Iterator[Call]:
    file = FD.match(arguments)
    assert file, arguments[:80]
    path, rest = path_of(file["path"]), file["rest"]
    if when[2] == "pwrite64":
        data, _, offset = rest.rsplit(b", ", 2)
        yield Call(
            *when, path, int(offset), bytes.fromhex(data.decode().strip('"').replace("\\x", ""))
        )
    elif when[2] == "ftruncate":
        yield Call(*when, path, int(rest))
    elif when[2] in ("fsync", "fdatasync"):
        yield Call(*when, path)
    else:
        assert not path.name.startswith("chat.sqlite3") or path.name.endswith(".lock"), when


def path_of(text: bytes) -> Path:
    return Path(unhex(text).decode())


def unhex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode().strip('"').replace("\\x", ""))


def restore(before: Path, done: list[Call], cut: float, rng: random.Random, into: Path) -> None:
    """Create the folder `into` as a disk may have it after a power cut at `cut`.

    `before` is the folder's state before the calls `done`.
    """
    into.mkdir()
    survival = rng.choice([0.0, 0.5, 0.95, 1.0])
    done = [call for call in done if call.start <= cut]
    for name in ("chat.sqlite3", "chat.sqlite3-wal", "chat.sqlite3-journal"):
        here = [call for call in done if call.path.name == name or call.path.is_dir()]
        content = replay(before / name, here, cut, rng, survival)
        if content is not None:
            (into / name).write_bytes(content)


def replay(
    path: Path, done: list[Call], cut: float, rng: random.Random, survival: float
) -> bytearray | None:
    """Return the content of a file after the power cut, or None if there is no such file.

    Each sector that wasn't synced has been written with the probability `survival`.
    """
    content = bytearray(path.read_bytes()) if path.exists() else None
    syncs = [call for call in done if call.name.endswith("sync") and call.end <= cut]
    synced = max((call.start for call in syncs if call.path.name == path.name), default=0)
    named = max((call.start for call in syncs), default=0)
    for call in done:
        until = named if call.name in ("openat", "unlink") else synced
        is_synced = call.end <= until
        for offset, data in sectors(call):
            if not is_synced and rng.random() >= survival:
                continue
            if call.name == "openat":
                content = bytearray() if content is None else content
            elif call.name == "unlink":
                content = None
            elif content is not None and call.name == "ftruncate":
                content = content[:offset].ljust(offset, b"\0")
            elif content is not None and call.name == "pwrite64":
                content = content.ljust(offset, b"\0")
                content[offset : offset + len(data)] = data
    return content


def sectors(call: Call) -> Iterator[tuple[int, bytes]]:
    """Split a call into the parts that a disk writes atomically."""
    ends = [*range(SECTOR - call.offset % SECTOR, len(call.data), SECTOR), len(call.data)]
    start = 0
    for end in ends:
        yield call.offset + start, call.data[start:end]
        start = end


class PowerCut:
    """A store that goes through rounds of load and power cuts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder.resolve()
        self.random = random.Random(seed)
        self.store = self.folder / "store 0"
        self.store.mkdir()
        self.stores = self.newest = self.acknowledged = self.cuts = 0

    def round(self, cuts: int) -> None:
        """Load a server, then check its store after power cuts at random moments.

        The next round goes on with the store of the last cut.
        """
        before, traces = self.folder / "before", self.folder / "traces"
        shutil.copytree(self.store, before)
        traces.mkdir()
        server = Server("gunicorn", self.store, SETTINGS, wrapper=strace(traces))
        load = Load(server)
        begun = time.time()
        time.sleep(self.random.uniform(0.3, 1.0))
        ended = time.time()
        kill(server)
        load.join()
        done = calls(traces, self.store)
        for cut in sorted(self.random.uniform(begun, ended) for _ in range(cuts)):
            self.stores += 1
            self.store = self.folder / f"store {self.stores}"
            restore(before, done, cut, self.random, self.store)
            observed = load.observed(cut)
            newest = self.check(observed)
            self.acknowledged += len(observed.acknowledged)
            self.cuts += 1
        self.newest = newest
        shutil.rmtree(before)
        shutil.rmtree(traces)

    def check(self, observed: Observed) -> int:
        server = Server("gunicorn", self.store, SETTINGS)
        try:
            return check(server, observed, self.newest)
        finally:
            server.stop()


def kill(server: Server) -> None:
    """Kill the server's processes, and wait until strace has written their traces."""
    for master in children(server.process.pid):
        workers = children(master)
        for pid in (master, *workers):
            os.kill(pid, signal.SIGKILL)
    server.process.wait(20)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def power_cuts(folder: Path, rounds: int, cuts: int, seed: int) -> str:
    """Run `rounds` of `PowerCut` and return a summary."""
    store = PowerCut(folder, seed)
    for _ in range(rounds):
        store.round(cuts)
    return (
        f"{store.cuts} power cuts: {store.acknowledged} acknowledged messages, each in the "
        f"log once under its number; the log has {store.newest}"
    )
