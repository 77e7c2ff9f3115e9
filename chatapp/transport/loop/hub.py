"""Calls that gevent's loop makes later."""

from __future__ import annotations

from collections.abc import Callable


def call_after_events(call: Callable[[], None]) -> None:
    """Have `call()` called once the loop has handled the events that it knows of."""
    from gevent import get_hub  # noqa: PLC0415 (threads need none)

    get_hub().loop.run_callback(call)


def call_in_next_iteration(call: Callable[[], None]) -> None:
    """Have `call()` called in the loop's next iteration, after its new events.

    It is a timer of the lowest priority, so it is the last of that iteration's events.
    """
    from gevent import get_hub  # noqa: PLC0415 (threads need none)

    loop = get_hub().loop
    timer = loop.timer(0, priority=loop.MINPRI)

    def due() -> None:
        timer.close()
        call()

    timer.start(due)
