"""The Lua scripts that Redis runs, each as one atomic step (Redis 7, Lua 5.1).

Each script begins with `common.lua`, and documents its arguments and answer in its own file.
"""

from __future__ import annotations

from pathlib import Path

from chatapp.store.redis.keys import PREFIX


def load(name: str) -> str:
    """Return the text of a script, preceded by what all scripts share."""
    folder = Path(__file__).parent
    common, own = (folder / file for file in ("common.lua", name))
    return f"local PREFIX = '{PREFIX}'\n{common.read_text()}\n{own.read_text()}"


APPEND = load("append.lua")
READ = load("read.lua")
START_EPOCH = load("start_epoch.lua")
EXPIRE = load("expire.lua")
