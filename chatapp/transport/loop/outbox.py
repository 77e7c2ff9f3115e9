"""Data that waits to be written to one socket, bounded in bytes and in time."""

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

    While data waits, a task writes it; otherwise there is no task. If more than
    `limits.outbox_bytes` wait, or nothing moves for `limits.stall` seconds, `on_cut()` is called
    once, by a task of its own.
    """

    __slots__ = (
        "_backlog",
        "_finishing",
        "_lock",
        "_on_cut",
        "_released",
        "_size",
        "_sock",
        "_stopped",
        "_tasks",
        "send",
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
        """Takes bytes and returns how many it took.

        It is the socket's `send`, `_queue` while data waits, or `_discard` at the end.
        """

    def write(self, data: bytes) -> None:
        """Write `data`, now or when the kernel takes it. Once finished or cut, drop it."""
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
        """Write the rest of `data` later, and everything that follows after it.

        If the socket has failed, that task or the socket's reader finds out.
        """
        self._backlog = deque()
        self.send = self._queue
        self._queue(memoryview(data)[sent:])
        self._tasks.spawn(self._drain)

    def finish(self, last: bytes) -> None:
        """Write `last` and nothing after it, then end this direction of the connection.

        Later writes are dropped, also those of other tasks.
        """
        with self._lock:
            self._write(last)
            self._stop()
            self._finishing = True
            if self._backlog is None:
                self._shut()

    def release(self) -> None:
        """Drop what waits and close the socket, now or when the task that writes has ended."""
        with self._lock:
            self._stop()
            self._released = True
            if self._backlog is None:
                self._sock.close()
            else:
                self._backlog.clear()

    def _stop(self) -> None:
        self._stopped = True
        self.send = _discard

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
        while self._write_backlog(bool(writable.poll(self._tasks.limits.stall * 1000))):
            pass

    def _write_backlog(self, moving: bool) -> bool:
        """Write what the kernel takes now, and return whether more waits.

        `moving`: the kernel takes something.
        """
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
        except OSError:  # the reader finds out
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


def _discard(data: bytes) -> int:
    """Drop `data`: the connection has ended."""
    return len(data)
