"""The lock that lets one process at a time serve a file."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from chatapp.errors import StoreError

RETRY_SECONDS = 0.05


class FileLock:
    """The right to serve the file at `path`, until `release` or the end of the process.

    If another process has it, wait up to `patience` seconds for that to end. The lock is on a file
    of its own beside it, as SQLite locks the database file itself.

    Raises:
        StoreError: another process has it, or the lock file can't be made.
    """

    def __init__(self, path: Path, patience: float) -> None:
        path = path.resolve()  # two names of one file share one lock
        beside = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{beside} can't be created ({error.strerror}); give the chat permission, or set "
                "CHATAPP_STORE to another file"
            ) from None
        deadline = time.monotonic() + patience
        while not self._try_lock():
            if time.monotonic() > deadline:
                os.close(self._file)
                raise StoreError(
                    f"{path} is served by another process; end that one, or set CHATAPP_STORE to "
                    "another file, or to redis://… for several processes of one chat"
                )
            time.sleep(RETRY_SECONDS)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        os.close(self._file)
