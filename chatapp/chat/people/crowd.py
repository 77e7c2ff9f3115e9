"""How those in a room hear who comes and goes: one by one, or in a crowd as a count."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

CROWD = 200
"""A room of more names tells its count only (docs/wire.md, People)."""
TOLD_A_SECOND = 2000
"""Names to which a crowd's count is told in a second; a larger crowd hears it less often."""

Tell = Callable[..., None]
"""`tell(room, event, *arguments, skip=client)`: everyone in the room hears it, but for `skip`."""
Later = Callable[[float, Callable[[], Any]], Any]
"""`later(seconds, call)`: have `call` called that much later, from any thread or greenlet."""


class Announcer:
    """Has those in a room hear who comes and goes: one by one, or, in a crowd, how many they are,
    at most once in `interval` seconds for each TOLD_A_SECOND of them. Thread-safe."""

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
        self._crowds: dict[str, _Crowd] = {}

    def announce(
        self, room: str, event: str, change: dict[str, str], client: str, count: int
    ) -> None:
        """All in `room` but for `client` hear `event`, by which they are `count` now."""
        with self._lock:
            crowd = self._crowds.get(room)
            if count > CROWD:
                crowd = self._crowds.setdefault(room, _Crowd())
            if crowd:
                crowd.count = count
            if count <= CROWD:
                self._tell(room, event, change, skip=client)
                if crowd and not crowd.waiting and count == 0:
                    del self._crowds[room]
            elif crowd and not crowd.waiting:
                crowd.waiting = True
                interval = self._interval * max(1, count / TOLD_A_SECOND)
                wait = crowd.told + interval - self._clock()
                if wait > 0:
                    self._later(wait, partial(self._tell_count_later, room, crowd))
                else:
                    self._tell_count(room, crowd)

    def _tell_count_later(self, room: str, crowd: _Crowd) -> None:
        with self._lock:
            self._tell_count(room, crowd)
            if crowd.count <= CROWD:
                del self._crowds[room]

    def _tell_count(self, room: str, crowd: _Crowd) -> None:
        crowd.waiting = False
        crowd.told = self._clock()
        self._tell(room, "presence", {"room": room, "count": crowd.count})


class _Crowd:
    def __init__(self) -> None:
        self.count = 0
        self.told = float("-inf")
        self.waiting = False
