"""How the store waits and works: beside gevent's loop where gevent has patched the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from gevent.monkey import is_module_patched

T = TypeVar("T")


def make_event() -> Any:
    """An event like threading's; under gevent its own, which costs less to wait for."""
    if not is_module_patched("threading"):
        return threading.Event()
    from gevent.event import Event  # noqa: PLC0415 (threads need none)

    return Event()


def run_in_thread(call: Callable[[], T]) -> T:
    """Run `call()`, which may wait for the disk: under gevent in a native thread, else here."""
    if not is_module_patched("threading"):
        return call()
    from gevent import get_hub  # noqa: PLC0415 (threads need none)

    outcome: Outcome[T] = get_hub().threadpool.apply(Outcome, (call,))
    return outcome.get()


class Outcome(Generic[T]):
    """What a call came to, for another thread: what it raises in its own, gevent would print."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._error: BaseException | None = None
        try:
            self._result = call()
        except BaseException as error:
            self._error = error

    def get(self) -> T:
        if self._error:
            raise self._error
        return self._result


def yield_to_loop() -> None:
    """Under gevent, let all that's ready by now run first."""
    if is_module_patched("threading"):
        from gevent import sleep  # noqa: PLC0415 (threads need none)

        sleep(0)
