"""Reports of damaged data in a store, limited so that they don't fill the log."""

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
    """Log the damage of each subject at most once in `interval` seconds. Thread-safe.

    At most `max_reports` subjects are remembered and logged in an interval. One more line then says
    that others aren't logged.
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
        self._logged: OrderedDict[str, float] = OrderedDict()  # times, the oldest first
        self._lock = Lock()

    def report(self, subject: str, line: str) -> None:
        """Log `line`, unless `subject` was logged within the last interval."""
        with self._lock:
            now = self._clock()
            while self._logged and next(iter(self._logged.values())) <= now - self._interval:
                self._logged.popitem(last=False)
            if subject in self._logged or len(self._logged) > self._max_reports:
                return
            if len(self._logged) == self._max_reports:
                subject = ""
                line = "more data is damaged than is logged here; look at the store as a whole"
            self._logged[subject] = now
        logger.error("%s", line)
