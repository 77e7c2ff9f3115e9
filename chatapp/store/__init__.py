"""The log, roster and broadcaster: in one process, or on a Redis that nodes share."""

from __future__ import annotations

from pathlib import Path

from chatapp.chat.audience import Audience
from chatapp.chat.broadcaster import Broadcaster, LocalBroadcaster
from chatapp.chat.log import Log, Retention
from chatapp.chat.people.local_roster import LocalRoster
from chatapp.chat.people.roster import Roster
from chatapp.chat.people.usernames import UsernameSet
from chatapp.config import Settings
from chatapp.store.memory import MemoryLog
from chatapp.store.sqlite.log import SQLiteLog


def store_of(
    settings: Settings, folder: Path, audience: Audience
) -> tuple[Log, Roster, Broadcaster]:
    """Create what the setting STORE names, not opened yet.

    `folder`: where an SQLite file without a path is.
    """
    retention = Retention(settings.retention_messages, settings.retention_days)
    max_chars, name_hold = settings.max_name_chars, settings.name_hold
    if settings.store.is_shared:
        from chatapp.store.redis.broadcaster import RedisBroadcaster  # noqa: PLC0415 (an extra)
        from chatapp.store.redis.log import RedisLog  # noqa: PLC0415
        from chatapp.store.redis.roster import RedisRoster  # noqa: PLC0415

        shared = RedisLog(settings.store.text, retention)
        lease = settings.node_lease
        roster = RedisRoster(shared, audience, max_chars, name_hold=name_hold, lease=lease)
        return shared, roster, RedisBroadcaster(shared, audience)
    log: Log
    if settings.store.kind == "memory":
        log = MemoryLog(retention)
    else:
        log = SQLiteLog(settings.store.file(folder), retention)
    usernames = UsernameSet(max_chars, log)
    return log, LocalRoster(usernames, audience, name_hold), LocalBroadcaster(audience)
