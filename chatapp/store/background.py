"""What stores have in common that are opened at their first use, and swept now and then."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod

from chatapp.chat.log import Log
from chatapp.errors import StoreError, Unavailable
from chatapp.store.threads import event

logger = logging.getLogger(__name__)


class OpenedLog(Log):
    """A log that is opened at its first use if not by `open`.

    `sweep_interval`: seconds between looks at what retention no longer keeps.
    """

    waits = True

    def __init__(self, sweep_interval: float) -> None:
        super().__init__()
        self._sweep_interval = sweep_interval
        self._lock = threading.Lock()
        self._open = False
        self._closed = event()
        self._failing = False

    def open(self) -> None:
        if self._open:
            return
        with self._lock:
            if not self._open:
                self._begin()
                self._open = True
                threading.Thread(target=self._sweep_now_and_then, daemon=True).start()

    @abstractmethod
    def _begin(self) -> None:
        """Make it ready for use.

        Raises:
            StoreError: it can't be used.
        """

    @abstractmethod
    def _sweep(self) -> None:
        """Take away what retention no longer keeps, a little at a time."""

    def _open_for_use(self) -> None:
        if self._closed.is_set():
            raise Unavailable
        try:
            self.open()
        except StoreError as error:
            self._complain(str(error))
            raise Unavailable from None

    def _complain(self, trouble: str) -> None:
        """Say what's wrong, once until all is well again."""
        if not self._failing:
            logger.error("%s; messages aren't taken until then", trouble)
        self._failing = True

    def _sweep_now_and_then(self) -> None:
        while not self._closed.wait(self._sweep_interval):
            try:
                self._sweep()
            except Unavailable:
                pass
            except Exception:
                logger.exception("what is no longer kept couldn't be taken away")
