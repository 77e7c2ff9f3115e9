"""The chat with a clock that is an hour slow while a file `behind` is in its folder.

Use it to test a system clock that is set back.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

BEHIND = Path(os.environ["CHATAPP_STORE"].removeprefix("sqlite:")).with_name("behind")
system_time = time.time
time.time = lambda: system_time() - (3600 if BEHIND.exists() else 0)

from chatapp import create_app  # noqa: E402 (after the clock is replaced)

app = create_app()
