"""The keys of the chat on Redis, and the scripts that change them.

This format is that of existing data. All keys begin with PREFIX.

- `schema`: the version of this format.
- `epoch`: the name of the numbering.
- `trial`: empty; written to test whether Redis accepts writes.
- `newest`: a hash from rooms to the number and time (ms) of their newest message.
- `log:ROOM`: a stream, in which message N has the id N-0.
- `keys:ROOM`: a hash from `NAME KEY` (name as compared, idempotency key) to message numbers.
- `names`: a hash from names as compared to their records in MessagePack (roster.lua).
- `likenesses`: a hash from the other key of a name (names.py, `keys`) to the name as compared.
- `users:ROOM`: a sorted set of the names in a room, each as its record's `entry`.
- `nodes`: a sorted set of nodes, by the end of their leases (ms).
- `at:NODE`: a set of the names as compared whose holders are connected to that node.
- `due`: a sorted set of names as compared, by the time (ms) when something of them expires.

Events of a room are published on the channel `said:ROOM`, in MessagePack
(subscriber.py). A channel exists once for all databases, so each event names its epoch.

Redis runs each script as one atomic step (Redis 7, Lua 5.1). A script documents its arguments and
answer in its own file.
"""

from __future__ import annotations

from pathlib import Path

PREFIX = "chatapp:"
SCHEMA_VERSION = "1"

SCHEMA = f"{PREFIX}schema"
EPOCH = f"{PREFIX}epoch"
TRIAL = f"{PREFIX}trial"
NEWEST = f"{PREFIX}newest"
NAMES = f"{PREFIX}names"
NODES = f"{PREFIX}nodes"
LIKENESSES = f"{PREFIX}likenesses"
DUE = f"{PREFIX}due"


def log_key(room: str) -> str:
    return f"{PREFIX}log:{room}"


def keys_key(room: str) -> str:
    return f"{PREFIX}keys:{room}"


def users_key(room: str) -> str:
    return f"{PREFIX}users:{room}"


def at_key(node: str) -> str:
    return f"{PREFIX}at:{node}"


def channel(room: str) -> str:
    return f"{PREFIX}said:{room}"


def load(name: str, **constants: int) -> str:
    """Return the text of a script, preceded by PREFIX, other constants, and common.lua."""
    folder = Path(__file__).parent
    common, own = (folder / file for file in ("common.lua", name))
    declared = "".join(f"local {constant} = {value}\n" for constant, value in constants.items())
    return f"local PREFIX = '{PREFIX}'\n{declared}{common.read_text()}\n{own.read_text()}"


APPEND = load("append.lua")
READ = load("read.lua")
START_EPOCH = load("start_epoch.lua")
EXPIRE = load("expire.lua")
