"""What the machine says: cores, CPU time, memory, open files."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import resource
from collections.abc import Iterator
from pathlib import Path

from bench.errors import BenchError

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds


@functools.cache
def cores() -> tuple[int, int]:
    """A core for the servers and another for the load."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("server and load need a core each, and there is one; use another machine")
    return usable[0], usable[-1]


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run on `core` meanwhile, and so does each process that is started."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_open_files(needed: int) -> None:
    """Raise the soft limit of open files to the hard one, for us and what we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(
            f"only {hard} files may be open and {needed} are needed; "
            "raise the limit (ulimit -Hn), or leave out loads"
        )


def family(pid: int) -> list[int]:
    """`pid` and its descendants."""
    pids = [pid]
    for task in (PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def all_run(pids: list[int]) -> bool:
    return all((PROC / str(pid)).exists() for pid in pids)


def cpu_seconds(pids: list[int]) -> float:
    """CPU time that the processes have used, user's and system's."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    after_name = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    return (int(after_name[11]) + int(after_name[12])) * TICK  # proc(5): fields 14 and 15


def idle_seconds() -> float:
    """Time that our two cores had nothing to do.

    The kernel measures it, while it only samples what a core is busy with.
    """
    ours = {f"cpu{core}" for core in cores()}
    total = 0
    for line in (PROC / "stat").read_text().splitlines():
        name, *times = line.split()
        if name in ours:
            total += int(times[3]) + int(times[4])  # proc(5): idle, iowait
    return total * TICK


def memory(pids: list[int]) -> int:
    """Bytes of memory that the processes hold; what they share counts once (proc(5): Pss)."""
    return sum(map(_memory, pids))


def _memory(pid: int) -> int:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchError("the kernel doesn't tell a process's memory (smaps_rollup); Linux 4.14 does")


def open_files(pids: list[int]) -> int:
    return sum(len(os.listdir(PROC / str(pid) / "fd")) for pid in pids)


def send_buffer() -> int:
    """Bytes that the kernel holds for a connection at most (tcp(7): tcp_wmem)."""
    return int((PROC / "sys/net/ipv4/tcp_wmem").read_text().split()[2])


def model() -> str:
    """The processor's name."""
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
