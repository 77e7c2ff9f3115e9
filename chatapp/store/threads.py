"""Waiting and blocking calls in a store, without blocking gevent's loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from gevent.monkey import is_module_patched

T = TypeVar("T")


def make_event() -> Any:
    """Return a `threading.Event`, or gevent's own if patched: waiting for that costs less."""
    if not is_module_patched("threading"):
        return threading.Event()
    from gevent.event import Event  # noqa: PLC0415 (not needed with threads)

    return Event()


def run_in_thread(call: Callable[[], T]) -> T:
    """Run a call that may wait for the disk: under gevent in a native thread, else here."""
    if not is_module_patched("threading"):
        return call()
    from gevent import get_hub  # noqa: PLC0415 (not needed with threads)

    outcome: Outcome[T] = get_hub().threadpool.apply(Outcome, (call,))
    return outcome.get()


class Outcome(Generic[T]):
    """The result or error of a call, for another thread.

    gevent prints an exception that leaves a call in its thread pool, so none does.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._error: BaseException | None = None
        try:
            self._result = call()
        except BaseException as error:
            self._error = error

    def get(self) -> T:
        """Return what the call returned, or raise what it raised."""
        if self._error:
            raise self._error
        return self._result


def yield_to_loop() -> None:
    """Under gevent, let all greenlets run that are ready now. In threads, do nothing."""
    if is_module_patched("threading"):
        from gevent import sleep  # noqa: PLC0415 (not needed with threads)

        sleep(0)
