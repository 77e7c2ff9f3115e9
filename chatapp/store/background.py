"""What stores have in common that are opened at their first use, and swept now and then."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod

from chatapp.chat.log import Log
from chatapp.errors import StoreError, Unavailable
from chatapp.store.threads import make_event

logger = logging.getLogger(__name__)


class BackgroundLog(Log):
    """A log that is opened at its first use if not by `open`.

    `sweep_interval`: seconds between looks at what retention no longer keeps.
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
        """Make it ready for use.

        Raises:
            StoreError: it can't be used.
        """

    @abstractmethod
    def _sweep(self) -> None:
        """Take away what retention no longer keeps, a little at a time."""

    def _ensure_open(self) -> None:
        if self._closed.is_set():
            raise Unavailable
        try:
            self.open()
        except StoreError as error:
            self._log_unavailable(str(error))
            raise Unavailable from None

    def _log_unavailable(self, reason: str) -> None:
        """Say what's wrong, once until all is well again."""
        if not self._is_failing:
            logger.error("%s; messages aren't taken until then", reason)
        self._is_failing = True

    def _sweep_loop(self) -> None:
        while not self._closed.wait(self._sweep_interval):
            try:
                self._sweep()
            except Unavailable:
                pass
            except Exception:
                logger.exception("what is no longer kept couldn't be taken away")
