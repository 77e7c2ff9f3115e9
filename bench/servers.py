"""The servers that are measured: what they're started with, and how they end."""

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
    what: str
    command: list[str]
    folder: Path
    environ: dict[str, str]


CHAT = [*GUNICORN, "-k", "gevent", "{module}:app"]
UNBOUNDED = {
    "CHATAPP_MESSAGE_LIMIT": "",
    "CHATAPP_NAME_LIMIT": "",
    "CHATAPP_EVENT_LIMIT": "",
    "CHATAPP_MAX_CONNECTIONS": "20000",
}

KINDS = {
    "chatapp": Kind(
        "this chat, `gunicorn -k gevent wsgi:app`, its limits on rates turned off, store in memory",
        CHAT,
        ROOT,
        {"CHATAPP_STORE": "memory:", **UNBOUNDED},
    ),
    "durable": Kind(
        "the same with its log on SQLite, each message synced to the disk before anyone hears it",
        CHAT,
        ROOT,
        {"CHATAPP_STORE": "sqlite:{folder}/chat.sqlite3", **UNBOUNDED},
    ),
    "node": Kind("socket.io on Node, as it comes", ["node", "node.mjs"], HERE / "servers", {}),
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
}
FROM_NPM = {"node", "bun"}


def prepare(names: list[str]) -> None:
    """Install what the servers `names` need from npm."""
    if not FROM_NPM & set(names):
        return
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise BenchError(
                f"{program} is missing; install it (Debian: apt install nodejs npm), "
                'or say ARGS="--servers chatapp,stock"'
            )
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    if all(installed(package) == version for package, version in wanted.items()):
        return
    install = ["npm", "ci", "--prefix", str(HERE), "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise BenchError(f"npm could not install bench/package.json: {last_line(done.stderr)}")


def installed(package: str) -> str | None:
    """The version of an npm package that's there."""
    manifest = MODULES / package / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


class Server:
    """A server of one of KINDS on a core of its own; takes connections once `with` has begun.

    `module`: where this chat's app is.
    """

    def __init__(self, name: str, core: int, module: str = "wsgi") -> None:
        kind = KINDS[name]
        self.name = name
        self.core = core
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix=f"bench-{name}-")
        self.log = tempfile.NamedTemporaryFile(prefix=f"bench-{name}-", suffix=".log")  # noqa: SIM115
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CHATAPP_")}
        own = {name: value.format(folder=self.folder.name) for name, value in kind.environ.items()}
        environ |= own | {"PORT": str(self.port), "NODE_ENV": "production"}
        with machine.pinned(core):
            self.process = subprocess.Popen(
                [word.format(port=self.port, module=module) for word in kind.command],
                cwd=kind.folder,
                env=environ,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 20
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise BenchError(f"{self.name} did not start: {self.last_words()}")
            time.sleep(0.05)
        self.pids = machine.family(self.process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answers(self) -> bool:
        """Whether it says anything to a request."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                probe.sendall(b"GET /nothing HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                return bool(probe.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        """End it and what it started: its process group is its own."""
        self.process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.folder.cleanup()

    def last_words(self) -> str:
        return last_line(Path(self.log.name).read_text(errors="replace"))

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        return machine.cpu_seconds(self.pids)

    def memory(self) -> int:
        """Bytes."""
        return machine.memory(self.pids)

    def open_files(self) -> int:
        return machine.open_files(self.pids)


def free_port() -> int:
    """A port that nobody listens on, below the ephemeral range, so that no client takes it."""
    while True:
        port = random.randint(10000, 30000)  # noqa: S311 (not a secret)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
