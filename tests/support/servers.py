"""Server processes on free ports: the chat under each kind of server, and Redis.

Use the fixture `serve` (tests/conftest.py) where tests can share a server, and `Server` where a
test needs its own folder or stops the server.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = sys.executable

COMMANDS = {
    "gunicorn": [
        PYTHON,
        "-m",
        "gunicorn",
        "-b",
        "127.0.0.1:{port}",
        "-k",
        "gevent",
        "{module}:app",
    ],
    "gevent-websocket": [
        *[PYTHON, "-m", "gunicorn", "-b", "127.0.0.1:{port}"],
        *["-k", "geventwebsocket.gunicorn.workers.GeventWebSocketWorker", "{module}:app"],
    ],
    "flask": [PYTHON, "-m", "flask", "--app", "{module}", "run", "--port", "{port}"],
    "command": [str(Path(PYTHON).parent / "chatapp")],
}
UNLIMITED = {"MESSAGE_LIMIT": "", "NAME_LIMIT": "", "EVENT_LIMIT": ""}
TLS = {"--certfile", "--cert"}
KINDS = ["gunicorn", "gevent-websocket", "flask"]
PARSING = {"gevent-websocket": "read_request", "flask": "make_environ"}
"""Functions of the servers that log a traceback for a request that they can't parse."""


def free_port() -> int:
    """Return a free port below the ephemeral range, which clients' ports are taken from."""
    while True:
        port = random.randint(10000, 30000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """A server process of a kind in COMMANDS, ready once it is constructed.

    `settings` are named without the prefix CHATAPP_. `wrapper` is a command that runs another.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        settings: dict[str, str],
        *arguments: str,
        module: str = "wsgi",
        wrapper: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.port = free_port()
        scheme = "https" if TLS & set(arguments) else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.log = folder / "log"
        self._checked = 0
        self._terminated: subprocess.Popen | None = None  # the process that got the signal
        self.process = start_process(
            kind, self.log, self.port, settings, *arguments, module=module, wrapper=wrapper
        )
        deadline = time.monotonic() + 20
        while not self.is_ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def is_ready(self) -> bool:
        try:
            trusting = ssl._create_unverified_context()
            with urllib.request.urlopen(
                self.url + "/healthz", timeout=5, context=trusting
            ) as answer:
                return answer.status == 200
        except OSError:
            return False

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict, bytes]:
        """Send a request and return the status, the headers by lower-case name, and the body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, method=method, headers=named)
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, found, answer.read()

    def new_tracebacks(self) -> list[str]:
        """Return the tracebacks logged since the last call, except for unparsable requests."""
        text = self.log.read_text(errors="replace")
        found = text[self._checked :].split("Traceback (most recent call last)")[1:]
        self._checked = len(text)
        parsing = PARSING.get(self.kind)
        return [each for each in found if not parsing or f", in {parsing}\n" not in each]

    def terminate(self) -> None:
        """Send the process the signal for a graceful shutdown, once."""
        if self.process.poll() is None and self.process is not self._terminated:
            self._terminated = self.process
            self.process.send_signal(signal.SIGINT if self.kind == "flask" else signal.SIGTERM)

    def stop(self) -> int:
        """Shut the server down and return its exit code."""
        self.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


def start_process(
    kind: str,
    log: Path,
    port: int,
    settings: dict[str, str],
    *arguments: str,
    module: str = "wsgi",
    wrapper: Sequence[str] = (),
) -> subprocess.Popen:
    """Start a server process in its own process group, without waiting until it is ready.

    It serves the `app` of `module`, but the kind "command" always serves the chat. `wrapper` is a
    command that runs another. Requests may be for the host x, which many tests use.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHATAPP_")}
    settings = {"STORE": f"sqlite:{log.parent}/chat.sqlite3", "HOSTS": "x", **settings}
    environ |= {"CHATAPP_" + name: value for name, value in settings.items()}
    environ |= {"PYTHONUNBUFFERED": "1", "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    if kind == "command":
        environ["CHATAPP_BIND"] = settings.get("BIND", f"127.0.0.1:{port}")
    command = [word.format(port=port, module=module) for word in COMMANDS[kind]]
    command = [*wrapper, *command, *arguments]
    with log.open("wb") as out:
        return subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=out, stderr=out, start_new_session=True
        )


class RedisProcess:
    """A `redis-server` process with its files in `folder`, ready once it is constructed.

    `options` are options of its command line, without the leading dashes.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = {"appendonly": "yes", "save": "", **options}
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "the package redis-server is missing; install it"
        words = [program, "--bind", "127.0.0.1", "--port", str(self.port)]
        for name, value in {**self._options, "dir": str(self._folder)}.items():
            words += [f"--{name}", value]
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self.is_ready():
            assert self.process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < deadline, (self._folder / "redis.log").read_text()
            time.sleep(0.02)

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                link.sendall(b"PING\r\n")
                return link.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
