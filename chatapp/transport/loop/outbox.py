"""What waits to be written to one socket: bounded in bytes and in time."""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol

from chatapp.transport.loop.limits import Limits

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Tasks(Protocol):
    """How an outbox runs beside others (runtime.Runtime)."""

    limits: Limits
    spawn: Callable[..., Any]
    lock: Callable[[], AbstractContextManager[Any]]


class Outbox:
    """Writes to a non-blocking socket at once, and keeps what the kernel doesn't take.

    Over either limit `on_cut()` is called, once, by a task of its own. While something waits, a
    task writes it; otherwise there is none.
    """

    __slots__ = (
        *("_backlog", "_finishing", "_lock", "_on_cut", "_released", "_size", "_sock"),
        *("_stopped", "_tasks", "send"),
    )

    def __init__(self, sock: Any, tasks: Tasks, on_cut: Callable[[], Any]) -> None:
        self._sock = sock
        self._tasks = tasks
        self._on_cut = on_cut
        self._lock = tasks.lock()
        self._backlog: deque[memoryview] | None = None
        self._size = 0
        self._finishing = False
        self._released = False
        self._stopped = False
        self.send: Callable[[Any], int] = sock.send
        """Takes bytes and says how many it took: the socket's own, or a stand-in that takes all."""

    def write(self, data: bytes) -> None:
        """Write `data`, now or as soon as the kernel takes it; nothing once finished or cut."""
        with self._lock:
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            sent = self.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            self.keep(data, sent)

    def keep(self, data: bytes, sent: int) -> None:
        """Have the rest of `data` written later, and all that follows after it.

        A socket that fails is found out there, or by its reader.
        """
        self._backlog = deque()
        self.send = self._queue
        self._queue(memoryview(data)[sent:])
        self._tasks.spawn(self._drain)

    def finish(self, last: bytes) -> None:
        """Write `last` and nothing after it, whoever else is writing; end this direction of the
        connection once everything is written."""
        with self._lock:
            self._write(last)
            self._stop()
            self._finishing = True
            if self._backlog is None:
                self._shut()

    def release(self) -> None:
        """Drop what waits and close the socket, now or when its task has let go of it."""
        with self._lock:
            self._stop()
            self._released = True
            if self._backlog is None:
                self._sock.close()
            else:
                self._backlog.clear()

    def _stop(self) -> None:
        self._stopped = True
        self.send = len

    def _queue(self, data: bytes | memoryview) -> int:
        assert self._backlog is not None
        self._backlog.append(memoryview(data))
        self._size += len(data)
        if self._size > self._tasks.limits.outbox_bytes:
            self._backlog.clear()
            self._stop()
            self._tasks.spawn(self._on_cut)
        return len(data)

    def _drain(self) -> None:
        writable = select.poll()
        writable.register(self._sock.fileno(), select.POLLOUT)
        while self._write_what_waits(bool(writable.poll(self._tasks.limits.stall * 1000))):
            pass

    def _write_what_waits(self, moving: bool) -> bool:
        """Write what the kernel takes by now; false once there's nothing more to do."""
        with self._lock:
            if self._backlog and moving:
                self._write_first(self._backlog)
            if self._backlog and moving:
                return True
            stalled = bool(self._backlog)
            self._backlog = None
            self._size = 0
            if self._released:
                self._sock.close()
            elif stalled:
                self._stop()
            elif self._finishing:
                self._shut()
            elif not self._stopped:
                self.send = self._sock.send
        if stalled:
            self._on_cut()
        return False

    def _write_first(self, backlog: deque[memoryview]) -> None:
        try:
            sent = self._sock.send(backlog[0])
        except WOULD_BLOCK:
            return
        except OSError:  # the reader will see that it's gone
            backlog.clear()
            return
        self._size -= sent
        if sent == len(backlog[0]):
            backlog.popleft()
        else:
            backlog[0] = backlog[0][sent:]

    def _shut(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
