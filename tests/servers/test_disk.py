"""A disk that fills up or becomes read-only while clients send messages, and recovers.

The disk is a small tmpfs if the tests may mount one, else a limit on the size of files.
"""

from __future__ import annotations

import resource
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.chaos.load import SETTINGS, Client
from support.raw import eventually
from support.servers import Server


class SmallDisk:
    """A tmpfs of 4 MiB that fills up, or a limit on the size of files."""

    lines = 2  # of the log: the fault and the recovery

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        self.mounted = mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)

    def fail(self, server: Server) -> None:
        if not self.mounted:
            limit_files(server, 4096)
            return
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def recover(self, server: Server) -> None:
        self._filler.unlink(missing_ok=True)
        limit_files(server, resource.RLIM_INFINITY)

    def unmount(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


class ReadOnlyDisk(SmallDisk):
    """A disk on which the process can write no files, not even its log.

    A file system with files open for writing can't be remounted read-only.
    """

    lines = 1

    def fail(self, server: Server) -> None:
        limit_files(server, 0)


def limit_files(server: Server, size: int) -> None:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    for pid in children.read_text().split():
        resource.prlimit(int(pid), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def mount(*words: object) -> bool:
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(params=[SmallDisk, ReadOnlyDisk])
def disk(request, tmp_path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = request.param(folder)
    yield disk
    disk.unmount()


def test_failing_disk_refuses_messages_until_it_recovers(disk, tmp_path):
    store = {"STORE": f"sqlite:{disk.folder}/chat.sqlite3"}
    server = Server("gunicorn", tmp_path, {**SETTINGS, **store})
    try:
        ann, bo = Client(server, "Ann"), Client(server, "Bo")
        stored: list[str] = []
        refused = threading.Event()

        def send(key: str) -> bool:
            answer = ann.wait_for_answer(ann.emit("msg", {"message": key * 50, "key": key}))
            if answer["ok"]:
                stored.append(key)
            else:
                assert answer["code"] == "unavailable"
                refused.set()
            return answer["ok"]

        for n in range(20):
            assert send(f"before-{n:04}")
        disk.fail(server)
        n = 0
        while not refused.is_set():  # SQLite's log may still have room
            send(f"during-{n:04}")
            n += 1
            assert n < 20000
        assert server.get("/readyz")[0] == 503
        assert server.get("/healthz")[0] == 200
        assert bo.call("history", {"limit": 1})["messages"]
        disk.recover(server)
        eventually(lambda: server.get("/readyz")[0] == 200)
        again = f"during-{n - 1:04}"
        assert send(again)
        for n in range(20):
            assert send(f"after-{n:04}")
        log = bo.read_history(0)
        assert [key for _, key, _ in log] == stored
        assert [number for number, _, _ in log] == list(range(1, len(stored) + 1))
        assert {number: key for number, (key, _) in bo.received.items()} == {
            number: key for number, key, _ in log
        }
        lines = [line for line in server.log.read_text().splitlines() if "chat.sqlite3" in line]
        assert len(lines) == disk.lines
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()


def test_unusable_store_is_reported_in_one_line_at_start(tmp_path):
    (tmp_path / "chat.sqlite3").write_text("no database at all, but a text of some length\n" * 100)
    with pytest.raises(AssertionError) as error:
        Server("gunicorn", tmp_path, {})
    lines = [line for line in str(error.value).splitlines() if "chat.sqlite3" in line]
    assert len(lines) == 1
    assert lines[0].endswith("chat.sqlite3 is not a database; set CHATAPP_STORE to another file")
