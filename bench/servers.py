"""Start and stop the servers that the bench measures."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Self

from bench import machine
from bench.errors import BenchError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MODULES = HERE / "node_modules"
GUNICORN = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:{port}"]


class Kind(NamedTuple):
    """A kind of server: its command, and the number of processes that share a Redis."""

    description: str
    command: list[str]
    folder: Path
    environ: dict[str, str]
    nodes: int = 1


CHAT = [*GUNICORN, "-k", "gevent", "{module}:app"]
UNBOUNDED = {
    "CHATAPP_MESSAGE_LIMIT": "",
    "CHATAPP_NAME_LIMIT": "",
    "CHATAPP_EVENT_LIMIT": "",
    "CHATAPP_MAX_CONNECTIONS": "20000",
}

KINDS = {
    "chatapp": Kind(
        "this chat, `gunicorn -k gevent wsgi:app`, without rate limits, store in memory",
        CHAT,
        ROOT,
        {"CHATAPP_STORE": "memory:", **UNBOUNDED},
    ),
    "durable": Kind(
        "the same with its log on SQLite; messages are synced to the disk before delivery",
        CHAT,
        ROOT,
        {"CHATAPP_STORE": "sqlite:{folder}/chat.sqlite3", **UNBOUNDED},
    ),
    "node": Kind("socket.io on Node, default settings", ["node", "node.mjs"], HERE / "servers", {}),
    "bun": Kind(
        "socket.io on Bun with @socket.io/bun-engine",
        [str(MODULES / ".bin" / "bun"), "bun.mjs"],
        HERE / "servers",
        {},
    ),
    "stock": Kind(
        "stock Flask-SocketIO, gunicorn with gevent-websocket's worker",
        [
            *[*GUNICORN, "-c", os.devnull, "--worker-connections", "20000"],
            *["-k", "geventwebsocket.gunicorn.workers.GeventWebSocketWorker", "stock:app"],
        ],
        HERE / "servers",
        {},
    ),
    "cluster": Kind(
        "this chat, two nodes on one Redis (`appendfsync everysec`)",
        CHAT,
        ROOT,
        {"CHATAPP_STORE": "{redis}", **UNBOUNDED},
        nodes=2,
    ),
    "pair": Kind(
        "socket.io on two Node processes with @socket.io/redis-streams-adapter on one Redis",
        ["node", "pair.mjs"],
        HERE / "servers",
        {"REDIS_URL": "{redis}"},
        nodes=2,
    ),
}
ALONE = tuple(name for name, kind in KINDS.items() if kind.nodes == 1)
FROM_NPM = {"node", "bun", "pair"}
PACKAGES = ("socket.io", "bun", "@socket.io/bun-engine", "@socket.io/redis-streams-adapter")


def prepare(names: list[str]) -> None:
    """Install the npm packages that the servers need.

    Raises:
        BenchError: a program is missing, or npm failed.
    """
    if any(KINDS[name].nodes > 1 for name in names) and not shutil.which("redis-server"):
        raise BenchError("redis-server is missing; install it (Debian: apt install redis-server)")
    if not FROM_NPM & set(names):
        return
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise BenchError(
                f"{program} is missing; install it (Debian: apt install nodejs npm), "
                'or use ARGS="--servers chatapp,stock"'
            )
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    if all(installed(package) == version for package, version in wanted.items()):
        return
    install = ["npm", "ci", "--prefix", str(HERE), "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise BenchError(f"npm could not install bench/package.json: {last_line(done.stderr)}")


def installed(package: str) -> str | None:
    """Return the version of an installed npm package."""
    manifest = MODULES / package / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it printed nothing"])[-1]


class Server:
    """A server of a kind, which accepts connections when its `with` block begins.

    All its processes run on one core. `module` has this chat's app. `limited` keeps its default
    limits.
    """

    def __init__(
        self, name: str, core: int, module: str = "wsgi", *, limited: bool = False
    ) -> None:
        kind = KINDS[name]
        self.name = name
        self.core = core
        self.limited = limited
        self.ports = [free_port() for _ in range(kind.nodes)]
        self.port = self.ports[0]
        self.folder = tempfile.TemporaryDirectory(prefix=f"bench-{name}-")
        self.log = tempfile.NamedTemporaryFile(prefix=f"bench-{name}-", suffix=".log")  # noqa: SIM115
        self.processes: list[subprocess.Popen[bytes]] = []
        redis = free_port() if kind.nodes > 1 else 0
        if redis:
            options = f"--port {redis} --bind 127.0.0.1 --appendonly yes --dir {self.folder.name}"
            self._start(["redis-server", *options.split()], ROOT, {})
            while not responds(redis, b"PING\r\n"):
                time.sleep(0.05)
        placeholders = {"folder": self.folder.name, "redis": f"redis://127.0.0.1:{redis}/0"}
        environ = kind.environ.items() - (UNBOUNDED.items() if limited else set())
        settings = {name: value.format(**placeholders) for name, value in environ}
        for port in self.ports:
            command = [word.format(port=port, module=module) for word in kind.command]
            node_settings = settings | {"PORT": str(port), "NODE_ENV": "production"}
            self._start(command, kind.folder, node_settings)

    def _start(self, command: list[str], folder: Path, settings: dict[str, str]) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CHATAPP_")}
        with machine.pinned(self.core):
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ | settings,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )
        self.processes.append(process)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 20
        request = b"GET /nothing HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
        while not all(responds(port, request) for port in self.ports):
            if self.has_ended() or time.monotonic() > deadline:
                self.stop()
                raise BenchError(f"{self.name} did not start: {self.last_log_line()}")
            time.sleep(0.05)
        self.pids = [pid for process in self.processes for pid in machine.family(process.pid)]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def has_ended(self) -> bool:
        """Whether one of the processes has ended."""
        return any(process.poll() is not None for process in self.processes)

    def another(self) -> Server:
        """Return a new server like this one, on the same core."""
        return Server(self.name, self.core, limited=self.limited)

    def has_survived(self) -> bool:
        """Whether all its first processes still run."""
        return not self.has_ended() and machine.all_run(self.pids)

    def stop(self) -> None:
        """Stop the processes in reverse order, each with its process group."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.folder.cleanup()

    def last_log_line(self) -> str:
        return last_line(Path(self.log.name).read_text(errors="replace"))

    def cpu(self) -> float:
        """Return the CPU time in seconds."""
        return machine.cpu_seconds(self.pids)

    def memory(self) -> int:
        """Return the memory in bytes."""
        return machine.memory(self.pids)

    def open_files(self) -> int:
        return machine.open_files(self.pids)


def responds(port: int, request: bytes) -> bool:
    """Whether something at the port responds to a request."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.sendall(request)
            return bool(probe.recv(1))
    except OSError:
        return False


def free_port() -> int:
    """Return a free port below the ephemeral range, which clients' ports are taken from."""
    while True:
        port = random.randint(10000, 30000)  # noqa: S311 (not a secret)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
