"""The chat on a disk that stalls: messages wait while a file `stall` lies beside the chat's."""

from __future__ import annotations

import os
import time
from pathlib import Path

from chatapp import create_app
from chatapp.store.sqlite.writer import Writer

FOLDER = Path(os.environ["CHATAPP_STORE"].removeprefix("sqlite:")).parent
commit = Writer.commit


def commit_slowly(writer, drafts):
    until = time.monotonic() + 10
    while (FOLDER / "stall").exists() and time.monotonic() < until:
        (FOLDER / "stalled").touch()
        time.sleep(0.02)
    return commit(writer, drafts)


Writer.commit = commit_slowly
app = create_app()
