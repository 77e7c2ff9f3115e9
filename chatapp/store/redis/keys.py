"""The keys of the chat on Redis. This format is that of existing data.

| key | type | content |
|---|---|---|
| `schema` | string | the version of this format |
| `epoch` | string | the name of the numbering |
| `trial` | string | empty: written to test whether Redis accepts writes |
| `newest` | hash | room: number and time (ms) of its newest message |
| `log:ROOM` | stream | message N, with the id N-0 |
| `keys:ROOM` | hash | compared name, space, idempotency key: the number of the message |
| `names` | hash | compared name: its record in MessagePack (roster.lua) |
| `users:ROOM` | sorted set | the names in a room, each as its record's `entry` |
| `nodes` | sorted set | node: the end of its lease (ms) |
| `at:NODE` | set | the compared names whose holders are connected to that node |
| `due` | sorted set | compared name: the time (ms) when something of it expires |

All begin with PREFIX. Events of a room are published on the channel `said:ROOM`, in MessagePack
(subscriber.py). A channel exists once for all databases, so each event names its epoch.
"""

from __future__ import annotations

PREFIX = "chatapp:"
SCHEMA_VERSION = "1"

SCHEMA = f"{PREFIX}schema"
EPOCH = f"{PREFIX}epoch"
TRIAL = f"{PREFIX}trial"
NEWEST = f"{PREFIX}newest"
NAMES = f"{PREFIX}names"
NODES = f"{PREFIX}nodes"
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
