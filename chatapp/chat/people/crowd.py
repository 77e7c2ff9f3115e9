"""Announcements of who comes and goes in a room, or of the count in a large one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

MAX_LISTED = 200
"""A room of more names than this announces only their count (docs/wire.md, People)."""
RECIPIENTS_PER_SECOND = 2000
"""Members to whom a count is sent each second; a larger room gets it less often."""

Tell = Callable[..., None]
"""`tell(room, event, *arguments, skip=client)` sends to all in the room but `skip`."""
Later = Callable[[float, Callable[[], Any]], Any]
"""`later(seconds, call)`: call `call` that much later, from any thread or greenlet."""


class Announcer:
    """Announce who comes and goes in a room, or in a large room how many names it has.

    A count is sent at most once in `interval` seconds, for each RECIPIENTS_PER_SECOND names.
    Thread-safe.
    """

    def __init__(
        self,
        tell: Tell,
        later: Later,
        interval: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._tell = tell
        self._later = later
        self._interval = interval
        self._clock = clock
        self._lock = Lock()
        self._counts: dict[str, _Count] = {}

    def announce(
        self, room: str, event: str, change: dict[str, str], client: str, count: int
    ) -> None:
        """Send `event` to all in `room` but `client`, which has `count` names after it."""
        with self._lock:
            state = self._counts.get(room)
            if count > MAX_LISTED:
                state = self._counts.setdefault(room, _Count())
            if state:
                state.count = count
            if count <= MAX_LISTED:
                self._tell(room, event, change, skip=client)
                if state and not state.is_scheduled and count == 0:
                    del self._counts[room]
            elif state and not state.is_scheduled:
                self._schedule(room, state)

    def _schedule(self, room: str, state: _Count) -> None:
        state.is_scheduled = True
        interval = self._interval * max(1, state.count / RECIPIENTS_PER_SECOND)
        wait = state.sent_at + interval - self._clock()
        if wait > 0:
            self._later(wait, partial(self._send_when_due, room, state))
        else:
            self._send(room, state)

    def _send_when_due(self, room: str, state: _Count) -> None:
        with self._lock:
            self._send(room, state)
            if state.count <= MAX_LISTED:
                del self._counts[room]

    def _send(self, room: str, state: _Count) -> None:
        state.is_scheduled = False
        state.sent_at = self._clock()
        self._tell(room, "presence", {"room": room, "count": state.count})


class _Count:
    """How many names a large room has, when that was last sent, and whether it will be."""

    def __init__(self) -> None:
        self.count = 0
        self.sent_at = float("-inf")
        self.is_scheduled = False
