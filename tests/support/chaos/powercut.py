"""A disk's power is cut under a server: what was not synced is lost, or half of it (make torture).

The server runs under strace, which tells each write and each sync, and when. From these the files
are put together as a disk may have them after a cut at a moment: all that was written before a sync
that had ended by then, and of what was written after it any sectors, or none. Names of files are
taken to be on the disk once the file or its folder was synced, as Linux's file systems do it.
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

from support.chaos.load import SETTINGS, Load, Seen, check
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
    """A call that may have changed a file. `start`, `end`: s since 1970. `data`: written at
    `offset`; None: the file was cut or grew to `offset` bytes; for "unlink" the file has gone."""

    start: float
    end: float
    name: str
    path: Path
    offset: int = 0
    data: bytes = b""


def strace(folder: Path) -> list[str]:
    """What a command is put behind to have `calls` read what it did."""
    options = ["-ff", "--seccomp-bpf", "-ttt", "-T", "-y", "-xx", "-s", "16777216"]
    return ["strace", *options, "-e", f"trace={CALLS},{OTHERS}", "-o", str(folder / "trace")]


def calls(traces: Path, folder: Path) -> list[Call]:
    """What was done to the files of `folder`, in order."""
    found = [call for trace in traces.glob("trace.*") for call in read(trace)]
    return sorted(call for call in found if folder in (call.path, call.path.parent))


def read(trace: Path) -> Iterator[Call]:
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
                yield from on_file(when, line["rest"])


def on_file(when: tuple[float, float, str], arguments: bytes) -> Iterator[Call]:
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


def restore(before: Path, done: list[Call], cut: float, lots: random.Random, into: Path) -> None:
    """Make `into` the folder that a disk has whose power was cut at `cut`, and that was like
    `before` at first."""
    into.mkdir()
    luck = lots.choice([0.0, 0.5, 0.95, 1.0])
    done = [call for call in done if call.start <= cut]
    for name in ("chat.sqlite3", "chat.sqlite3-wal", "chat.sqlite3-journal"):
        here = [call for call in done if call.path.name == name or call.path.is_dir()]
        content = replay(before / name, here, cut, lots, luck)
        if content is not None:
            (into / name).write_bytes(content)


def replay(
    path: Path, done: list[Call], cut: float, lots: random.Random, luck: float
) -> bytearray | None:
    """The content of a file, None if it isn't there. What wasn't synced has happened with the
    probability `luck`, sector by sector."""
    content = bytearray(path.read_bytes()) if path.exists() else None
    syncs = [call for call in done if call.name.endswith("sync") and call.end <= cut]
    synced = max((call.start for call in syncs if call.path.name == path.name), default=0)
    named = max((call.start for call in syncs), default=0)
    for call in done:
        until = named if call.name in ("openat", "unlink") else synced
        kept = call.end <= until
        for offset, data in sectors(call):
            if not kept and lots.random() >= luck:
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
    """What of a call may happen without the rest of it."""
    ends = [*range(SECTOR - call.offset % SECTOR, len(call.data), SECTOR), len(call.data)]
    start = 0
    for end in ends:
        yield call.offset + start, call.data[start:end]
        start = end


class PowerCut:
    """A store whose disk's power is cut under load, in rounds."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder.resolve()
        self.random = random.Random(seed)
        self.store = self.folder / "store 0"
        self.store.mkdir()
        self.stores = self.newest = self.acknowledged = self.cuts = 0

    def round(self, cuts: int) -> None:
        """Load a server, and look at what it would have after power cuts at random moments; go on
        with the last of these."""
        before, traces = self.folder / "before", self.folder / "traces"
        shutil.copytree(self.store, before)
        traces.mkdir()
        server = Server("gunicorn", self.store, SETTINGS, under=strace(traces))
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
            seen = load.seen(cut)
            newest = self.look(seen)
            self.acknowledged += len(seen.acknowledged)
            self.cuts += 1
        self.newest = newest
        shutil.rmtree(before)
        shutil.rmtree(traces)

    def look(self, seen: Seen) -> int:
        server = Server("gunicorn", self.store, SETTINGS)
        try:
            return check(server, seen, self.newest)
        finally:
            server.stop()


def kill(server: Server) -> None:
    """End the server's processes, and have strace write down all that they did."""
    for master in children(server.process.pid):
        workers = children(master)
        for pid in (master, *workers):
            os.kill(pid, signal.SIGKILL)
    server.process.wait(20)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def power_cuts(folder: Path, rounds: int, cuts: int, seed: int) -> str:
    """`rounds` of PowerCut; a line on what was seen."""
    store = PowerCut(folder, seed)
    for _ in range(rounds):
        store.round(cuts)
    return (
        f"power cut {store.cuts} times; {store.acknowledged} messages acknowledged by then, all "
        f"there, each once and under its number, in a log of {store.newest}"
    )
