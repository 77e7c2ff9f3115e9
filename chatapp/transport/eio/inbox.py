"""The messages of one session that wait to be handled."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.transport import WebSocketTransport

MAX_WAITING = 64
"""Messages of one session that may wait to be handled before its WebSocket isn't read."""


class Owner(Protocol):
    """The session of an inbox."""

    runtime: Runtime
    closed: bool
    websocket: WebSocketTransport | None
    lock: Any

    def handle(self, message: Any) -> None:
        """Handle a message, to the end; must not raise."""


class Inbox:
    """Hands messages to its owner one at a time, in the order in which they came.

    Under gevent a worker does that for a WebSocket, and the socket isn't read while MAX_WAITING
    messages wait. Otherwise `put` returns when its message has been handled, unless another task
    handles messages already.

    A handler that only waits from some point on may call `release`. A second handler then runs
    beside it: `generation` tells the two apart, and `overlapping` counts the released handlers.
    """

    __slots__ = ("_lock", "_messages", "_owner", "_runtime", "generation", "overlapping", "running")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._runtime = owner.runtime
        self._lock = owner.lock
        self._messages: deque[Any] | None = None
        self.generation = 0
        self.overlapping = 0
        self.running = False

    @property
    def busy(self) -> bool:
        """Whether a message is being handled."""
        return self.running or self.overlapping > 0

    def put(self, message: Any) -> None:
        """Have `message` handled after those that wait."""
        with self._lock:
            if self._messages is None:
                self._messages = deque()
            self._messages.append(message)
            start, self.running = not self.running, True
        websocket = self._owner.websocket
        if websocket and self._is_full():
            websocket.pause_reading()
        if start and websocket and self._runtime.workers:
            self._runtime.workers.run(self.drain)
        elif start:
            self.drain()

    def release(self) -> None:
        """Have the next messages handled beside the one that is being handled.

        This holds for WebSockets under gevent; elsewhere each message is handled to its end.
        """
        if self._owner.websocket and self._runtime.workers:
            self.overlapping += 1
            self.generation += 1
            self.running = bool(self._messages)
            if self._messages:
                self._runtime.workers.run(self.drain)

    def drain(self) -> None:
        """Handle messages until none waits or the handler of one has released the inbox."""
        owner = self._owner
        generation = self.generation
        while True:
            with self._lock:
                if not self._messages or owner.closed:
                    self._messages = None
                    self.running = False
                    return
                was_full = self._is_full()
                message = self._messages.popleft()
            owner.handle(message)
            if self.generation != generation:
                was_full = self._is_full()
                self.overlapping -= 1
            if was_full and owner.websocket and not self._is_full():
                owner.websocket.resume_reading()
            if self.generation != generation:
                return
            if self._messages:
                self._runtime.scheduler.wait_for_step()

    def _is_full(self) -> bool:
        return len(self._messages or ()) + self.overlapping >= MAX_WAITING
