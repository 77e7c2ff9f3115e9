"""The chat on a machine whose clock is an hour behind while a file `behind` lies beside its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

BEHIND = Path(os.environ["CHATAPP_STORE"].removeprefix("sqlite:")).with_name("behind")
right = time.time
time.time = lambda: right() - (3600 if BEHIND.exists() else 0)

from chatapp import create_app  # noqa: E402 (it takes the clock as it is by now)

app = create_app()
