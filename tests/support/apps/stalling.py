"""The chat with a disk that stalls while a file `stall` is in its folder.

Use it to test what happens while messages wait to be stored.
"""

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
