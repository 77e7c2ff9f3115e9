"""Read cores, CPU time, memory and open files from the kernel."""

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
    """Return a core for the servers and another one for the load."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError(
            "the bench needs two cores, one each for server and load; use another machine"
        )
    return usable[0], usable[-1]


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run on `core` within the `with` block, as do processes started in it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_open_files(needed: int) -> None:
    """Raise the soft limit of open files to the hard limit, also for child processes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(
            f"only {hard} files may be open and {needed} are needed; "
            "raise the limit (ulimit -Hn), or leave out loads"
        )


def family(pid: int) -> list[int]:
    """Return `pid` and its descendants."""
    pids = [pid]
    for task in (PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def all_run(pids: list[int]) -> bool:
    return all((PROC / str(pid)).exists() for pid in pids)


def cpu_seconds(pids: list[int]) -> float:
    """Return the user and system CPU time of the processes."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    after_name = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    return (int(after_name[11]) + int(after_name[12])) * TICK  # proc(5): fields 14 and 15


def idle_seconds() -> float:
    """Return the idle time of the two cores.

    The kernel measures idle time exactly, but only samples the busy times.
    """
    own_cores = {f"cpu{core}" for core in cores()}
    total = 0
    for line in (PROC / "stat").read_text().splitlines():
        name, *times = line.split()
        if name in own_cores:
            total += int(times[3]) + int(times[4])  # proc(5): idle, iowait
    return total * TICK


def memory(pids: list[int]) -> int:
    """Return the bytes of memory of the processes; shared memory counts once (proc(5): Pss)."""
    return sum(map(_memory, pids))


def _memory(pid: int) -> int:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchError("the kernel lacks smaps_rollup; use Linux 4.14 or later")


def open_files(pids: list[int]) -> int:
    return sum(len(os.listdir(PROC / str(pid) / "fd")) for pid in pids)


def send_buffer() -> int:
    """Return the greatest send buffer of a connection in bytes (tcp(7): tcp_wmem)."""
    return int((PROC / "sys/net/ipv4/tcp_wmem").read_text().split()[2])


def model() -> str:
    """Return the processor's name."""
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
