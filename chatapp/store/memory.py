"""The log in memory. It ends with the process, and each start begins a new epoch."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import time

from chatapp.chat.log import DEFAULT_RETENTION, Draft, Entry, Log, Page, Retention, bounded
from chatapp.chat.people.names import canonical
from chatapp.errors import Unavailable

SWEEP_BATCH = 10
"""Expired messages of another room that one append deletes at most."""


class MemoryLog(Log):
    """Keep messages for the life of the process. `clock()` returns seconds since 1970."""

    waits = False

    def __init__(
        self, retention: Retention = DEFAULT_RETENTION, clock: Callable[[], float] = time
    ) -> None:
        super().__init__()
        self._epoch = secrets.token_urlsafe(9)
        self._retention = retention
        self._clock = clock
        self._rooms: OrderedDict[str, _Room] = OrderedDict()  # the next to sweep comes first
        self._closed = False
        # Held during delivery, too, so that subscribers get a room in the order of its numbers.
        self._lock = Lock()

    @property
    def epoch(self) -> str:
        return self._epoch

    def open(self) -> None:
        pass

    def close(self) -> None:
        with self._lock:
            self._closed = True

    def append(self, draft: Draft) -> Entry:
        with self._lock:
            if self._closed:
                raise Unavailable
            room = self._room(draft.room)
            self._rooms[draft.room] = room
            known = room.find(draft.user, draft.key)
            if known:
                return known
            entry = room.add(draft, self._now())
            room.expire(self._retention, self._now())
            self._sweep()
            self._deliver([entry])
            return entry

    def find(self, room: str, user: str, key: str) -> Entry | None:
        with self._lock:
            return self._room(room).find(user, key)

    def read(
        self, room: str, *, since: int | None = None, before: int | None = None, limit: int = 50
    ) -> Page:
        with self._lock:
            here = self._room(room)
            oldest = here.newest - len(here.entries) + 1
            if since is not None:
                ids = range(max(since + 1, oldest), here.newest + 1)
            else:
                end = here.newest + 1 if before is None else min(before, here.newest + 1)
                ids = range(end - 1, oldest - 1, -1)
            entries, more = bounded((here.entries[number] for number in ids), limit)
        return Page(entries if since is not None else entries[::-1], more, self._epoch)

    def available(self) -> bool:
        return not self._closed

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _sweep(self) -> None:
        """Delete some expired messages of the next room, so that unread rooms expire, too."""
        name, room = next(iter(self._rooms.items()))
        if room.expire(self._retention, self._now(), SWEEP_BATCH):
            self._rooms.move_to_end(name)

    def _room(self, name: str) -> _Room:
        """Return the room without expired messages; an empty one if there is none."""
        room = self._rooms.get(name)
        if room is None:
            return _Room()
        room.expire(self._retention, self._now())
        return room


class _Room:
    """One room: its newest number and time (ms), and the kept entries, oldest first."""

    def __init__(self) -> None:
        self.newest = 0
        self.at = 0
        self.entries: dict[int, Entry] = {}
        self.keys: dict[tuple[str, str], Entry] = {}

    def find(self, user: str, key: str) -> Entry | None:
        return self.keys.get((canonical(user), key)) if key else None

    def add(self, draft: Draft, now: int) -> Entry:
        self.newest += 1
        self.at = max(self.at, now)
        entry = Entry(draft.room, self.newest, self.at, draft.user, draft.message, draft.key)
        self.entries[entry.id] = entry
        if entry.key:
            self.keys[canonical(entry.user), entry.key] = entry
        return entry

    def expire(self, retention: Retention, now: int, max_count: int | None = None) -> bool:
        """Delete at most `max_count` expired messages; return whether that was all of them."""
        expired, cutoff = retention.expired_up_to(self.newest), retention.cutoff(now)
        for number in range(self.newest - len(self.entries) + 1, self.newest + 1)[:max_count]:
            oldest = self.entries[number]
            if number > expired and oldest.at >= cutoff:
                return True
            del self.entries[number]
            if oldest.key:
                del self.keys[canonical(oldest.user), oldest.key]
        return not self.entries
