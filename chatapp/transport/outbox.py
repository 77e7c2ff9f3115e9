"""What waits to be written to one socket: bounded in bytes and in time."""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Outbox:
    """Writes to a non-blocking socket at once, and keeps what the kernel doesn't take.

    `bound`: bytes that may wait; `stall`: seconds in which something must move. Over either,
    `on_cut()` is called, once, by a task of its own: both are security limits. While something
    waits, a task of `spawn` writes it; otherwise there is none.
    """

    def __init__(
        self,
        sock: Any,
        spawn: Callable[..., Any],
        on_cut: Callable[[], Any],
        bound: int = 131072,
        stall: float = 2.0,
    ) -> None:
        self._sock = sock
        self._spawn = spawn
        self._on_cut = on_cut
        self._bound = bound
        self._stall = stall
        self._lock = Lock()
        self._waiting: deque[memoryview] = deque()
        self._size = 0
        self._draining = False
        self._finishing = False
        self._stopped = False
        self._released = False

    def write(self, data: bytes) -> None:
        """Write `data`, now or as soon as the kernel takes it; nothing once finished or cut."""
        with self._lock:
            if self._stopped or self._finishing:
                return
            left = memoryview(data)[0 if self._draining else self._send(data) :]
            if not left:
                return
            self._waiting.append(left)
            self._size += len(left)
            over = self._stopped = self._size > self._bound
            start, self._draining = not self._draining, True
        if over:
            self._spawn(self._on_cut)
        if start:
            self._spawn(self._drain)

    def finish(self) -> None:
        """End this direction of the connection once everything is written."""
        with self._lock:
            self._finishing = True
            if not self._draining:
                self._shut()

    def release(self) -> None:
        """Drop what waits and close the socket, now or when its task has let go of it."""
        with self._lock:
            self._stopped = self._released = True
            if not self._draining:
                self._sock.close()

    def _drain(self) -> None:
        writable = select.poll()
        writable.register(self._sock.fileno(), select.POLLOUT)
        while self._write_what_waits(bool(writable.poll(self._stall * 1000))):
            pass

    def _write_what_waits(self, moving: bool) -> bool:
        """Write what the kernel takes by now; false once there's nothing more to do."""
        with self._lock:
            stalled = not moving and not self._stopped
            if moving and not self._stopped:
                self._write_first()
            self._stopped |= stalled
            if self._waiting and not self._stopped:
                return True
            self._draining = False
            self._waiting.clear()
            if self._released:
                self._sock.close()
            elif self._finishing:
                self._shut()
        if stalled:
            self._on_cut()
        return False

    def _write_first(self) -> None:
        if not self._waiting:
            return
        left = self._waiting[0]
        sent = self._send(left)
        self._size -= sent
        if sent == len(left):
            self._waiting.popleft()
        else:
            self._waiting[0] = left[sent:]

    def _send(self, data: bytes | memoryview) -> int:
        try:
            sent: int = self._sock.send(data)
        except WOULD_BLOCK:
            return 0
        except OSError:  # the reader will see that it's gone
            return len(data)
        return sent

    def _shut(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
