"""A log in memory: gone with the process, and each start is a new epoch."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from threading import Lock
from time import time

from chatapp.store.base import Draft, Entry, Log, Page, bounded
from chatapp.usernames import fold


class MemoryLog(Log):
    """Keeps the newest `retention` messages of each room (0: all); `clock`: seconds since 1970."""

    def __init__(self, retention: int = 10000, clock: Callable[[], float] = time) -> None:
        super().__init__()
        self.epoch = secrets.token_urlsafe(9)
        self._retention = retention
        self._clock = clock
        self._rooms: dict[str, _Room] = {}
        # Held while delivering too: whoever follows hears each room in the order of its numbers.
        self._lock = Lock()

    def append(self, draft: Draft) -> Entry:
        with self._lock:
            room = self._rooms.setdefault(draft.room, _Room())
            known = room.find(draft.user, draft.key)
            if known:
                return known
            entry = room.add(draft, int(self._clock() * 1000), self._retention)
            self._deliver([entry])
            return entry

    def find(self, room: str, user: str, key: str) -> Entry | None:
        with self._lock:
            return self._rooms[room].find(user, key) if room in self._rooms else None

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        with self._lock:
            kept = self._rooms[room].entries if room in self._rooms else {}
            newest = self._rooms[room].newest if room in self._rooms else 0
            oldest = newest - len(kept) + 1
            if since is not None:
                ids = range(max(since + 1, oldest), newest + 1)
            else:
                end = newest + 1 if before is None else min(before, newest + 1)
                ids = range(end - 1, oldest - 1, -1)
            entries, more = bounded((kept[number] for number in ids), limit)
        return Page(entries if since is not None else entries[::-1], more)

    def available(self) -> bool:
        return True


class _Room:
    def __init__(self) -> None:
        self.newest = 0
        self.at = 0
        self.entries: dict[int, Entry] = {}
        self.keys: dict[tuple[str, str], Entry] = {}

    def find(self, user: str, key: str) -> Entry | None:
        return self.keys.get((fold(user), key)) if key else None

    def add(self, draft: Draft, now: int, retention: int) -> Entry:
        self.newest += 1
        self.at = max(self.at, now)
        entry = Entry(draft.room, self.newest, self.at, draft.user, draft.message, draft.key)
        self.entries[entry.id] = entry
        if entry.key:
            self.keys[fold(entry.user), entry.key] = entry
        if retention and len(self.entries) > retention:
            oldest = self.entries.pop(self.newest - retention)
            if oldest.key:
                del self.keys[fold(oldest.user), oldest.key]
        return entry
