"""Loggers that drop lines: of the libraries below us, and about what clients send."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any

INTERVAL = 60.0  # seconds


class ErrorsOnly(logging.LoggerAdapter[logging.Logger]):
    """Passes on errors and drops the rest.

    Below errors, python-engineio and python-socketio log what clients send, as it comes.
    """

    def debug(self, *arguments: Any, **options: Any) -> None:
        """Drop a record."""

    info = warning = debug


class LimitedLog:
    """Logs one kind of warning at most once in `interval` seconds. Thread-safe.

    Each line says how many before it were left out. Text of clients goes into the line by `%.99a`,
    which escapes it and bounds its length.
    """

    def __init__(
        self,
        logger: logging.Logger,
        interval: float = INTERVAL,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._logger = logger
        self._interval = interval
        self._clock = clock
        self._next = clock()
        self._left_out = 0
        self._lock = Lock()

    def warning(self, message: str, *arguments: object) -> None:
        """Log a line, or count it if the last one was logged a short while ago."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                self._left_out += 1
                return
            left_out, self._left_out = self._left_out, 0
            self._next = now + self._interval
        more = f" (and {left_out:,} more like this)" if left_out else ""
        self._logger.warning(message + more, *arguments)
