"""The base of logs that open at first use and delete expired messages in the background."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod

from chatapp.chat.log import Log
from chatapp.errors import StoreError, Unavailable
from chatapp.store.threads import make_event

logger = logging.getLogger(__name__)


class BackgroundLog(Log):
    """A log that opens at its first use, unless `open` was called before.

    `sweep_interval`: seconds between two sweeps, which delete expired messages.
    """

    waits = True

    def __init__(self, sweep_interval: float) -> None:
        super().__init__()
        self._sweep_interval = sweep_interval
        self._lock = threading.Lock()
        self._is_open = False
        self._closed = make_event()
        self._is_failing = False

    def open(self) -> None:
        if self._is_open:
            return
        with self._lock:
            if not self._is_open:
                self._open_store()
                self._is_open = True
                threading.Thread(target=self._sweep_loop, daemon=True).start()

    @abstractmethod
    def _open_store(self) -> None:
        """Open the file or the connection.

        Raises:
            StoreError: it can't be used.
        """

    @abstractmethod
    def _sweep(self) -> None:
        """Delete expired messages in small steps, so that appends go on between them."""

    def _ensure_open(self) -> None:
        if self._closed.is_set():
            raise Unavailable
        try:
            self.open()
        except StoreError as error:
            self._log_unavailable(str(error))
            raise Unavailable from None

    def _log_unavailable(self, reason: str) -> None:
        """Log `reason`, once until the store works again."""
        if not self._is_failing:
            logger.error("%s; messages are refused until that is fixed", reason)
        self._is_failing = True

    def _sweep_loop(self) -> None:
        while not self._closed.wait(self._sweep_interval):
            try:
                self._sweep()
            except Unavailable:
                pass
            except Exception:
                logger.exception("expired messages couldn't be deleted; the next sweep tries again")
