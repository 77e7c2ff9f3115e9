"""Tells the operator what is damaged in a store, without a line for each attempt."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic

logger = logging.getLogger(__name__)
INTERVAL = 60.0  # seconds
MAX_REPORTS = 100


class DamageLog:
    """Logs each damaged subject at most once in `interval` seconds. Thread-safe.

    It remembers up to `max_reports` subjects, and logs no more than that many in an interval. One
    more line says that others aren't named.
    """

    def __init__(
        self,
        interval: float = INTERVAL,
        max_reports: int = MAX_REPORTS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._interval = interval
        self._max_reports = max_reports
        self._clock = clock
        self._logged: OrderedDict[str, float] = OrderedDict()  # when, the oldest first
        self._lock = Lock()

    def report(self, subject: str, line: str) -> None:
        """Log `line` about `subject`, unless that was done a short while ago."""
        with self._lock:
            now = self._clock()
            while self._logged and next(iter(self._logged.values())) <= now - self._interval:
                self._logged.popitem(last=False)
            if subject in self._logged or len(self._logged) > self._max_reports:
                return
            if len(self._logged) == self._max_reports:
                subject, line = "", "more than that is damaged, which isn't logged"
            self._logged[subject] = now
        logger.error("%s", line)
