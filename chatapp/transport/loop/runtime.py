"""What sessions and transports need of the process: time, tasks, reading, writing, limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from typing import Any

from chatapp.transport.loop.batching import BatchedOutbox, WriteBatch
from chatapp.transport.loop.clock import Clock
from chatapp.transport.loop.hub import call_after_events, call_in_next_iteration
from chatapp.transport.loop.limits import Limits
from chatapp.transport.loop.outbox import Outbox
from chatapp.transport.loop.reading import ReadScheduler
from chatapp.transport.loop.workers import Workers


class Runtime:
    """How tasks run side by side: as greenlets if `gevent` is true, else as threads.

    `spawn(call, *arguments)` starts a task, and `event()` makes an event for tasks to wait for.
    Without `clock` there is a clock of real time. `refused` counts what was refused, by reason.
    """

    __slots__ = (
        "batch",
        "clock",
        "event",
        "gevent",
        "limits",
        "lock",
        "refused",
        "scheduler",
        "spawn",
        "workers",
    )

    def __init__(
        self,
        limits: Limits,
        spawn: Callable[..., Any],
        event: Callable[[], Any],
        gevent: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.limits = limits
        self.spawn = spawn
        self.event = event
        self.gevent = gevent
        # Greenlets switch only where they wait, and none waits while it holds a lock of ours.
        unlocked = nullcontext()
        self.lock: Callable[[], Any] = (lambda: unlocked) if gevent else Lock
        self.clock = clock or Clock(spawn, event, lock=self.lock)
        self.scheduler = ReadScheduler(call_after_events, call_in_next_iteration, gevent)
        self.workers = Workers() if gevent else None
        self.batch = WriteBatch(call_after_events) if gevent else None
        self.refused: Counter[str] = Counter()

    def outbox(self, sock: Any, on_cut: Callable[[], Any]) -> Outbox:
        """Return an outbox that writes to `sock`, at the end of each batch if there are batches."""
        if self.batch is None:
            return Outbox(sock, self, on_cut)
        return BatchedOutbox(sock, self, on_cut, self.batch)
