"""A Redis for tests: started on a free port, stopped by its process id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from serving import free_port


class RedisProcess:
    """A `redis-server` on 127.0.0.1 with its files in `folder`; ready once this returns.

    `options`: of its command line, without the leading dashes.
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
        while not self.answers():
            assert self.process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < deadline, (self._folder / "redis.log").read_text()
            time.sleep(0.02)

    def answers(self) -> bool:
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
