"""A WSGI middleware that lets no request harm the others.

Each request waits for its turn. A body is read in steps, between which others get theirs; what the
application leaves of it isn't read, but the connection closed. An answer that its client doesn't
take in time is given up. The servers do none of these (gunicorn reads an unread body to its end).
"""

from __future__ import annotations

import io
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from chatapp.transport.http.servers import (
    duplicate,
    end_body,
    leave_body,
    server_socket,
    shut,
)
from chatapp.transport.loop.clock import Clock, Timer
from chatapp.transport.loop.reading import ReadScheduler

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

STEP = 256
"""Bytes of a chunked body that are read at first before others get a turn: each may be a chunk of
its own, which costs a server 6 µs."""
MAX_STEP = 65536
MAX_DIGITS = 15
"""Of a body's length: longer numbers aren't read."""
LINGER_SECONDS = 2.0
MAX_LINGERING = 100
QUICK = 0.001  # seconds; after a step that took less, the next is twice as long


class RequestGuard:
    """Guards requests. `seconds`: how long a client may take for each part of an answer. `refused`
    counts the bodies and answers that were left."""

    def __init__(
        self, scheduler: ReadScheduler, clock: Clock, seconds: float, refused: Counter[str]
    ) -> None:
        self.clock = clock
        self.seconds = seconds
        self.refused = refused
        self._scheduler = scheduler
        self._lingering: dict[Any, None] = {}  # sockets, the oldest first

    def linger(self, environ: WSGIEnvironment) -> None:
        """Keep a connection that ends with an unread body for a while, so that its client sees the
        answer and not a reset. Nothing is read, so that the client soon can't send any more."""
        sock = server_socket(environ)
        if sock is None:
            return
        with suppress(OSError):
            same = duplicate(sock)
            self._lingering[same] = None
            self.clock.call_later(LINGER_SECONDS, partial(self._end, same))
            same.shutdown(socket.SHUT_WR)
        while len(self._lingering) > MAX_LINGERING:
            self._end(next(iter(self._lingering)))

    def _end(self, sock: Any) -> None:
        self._lingering.pop(sock, None)
        sock.close()

    def answer(
        self, app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Have `app` answer a request."""
        self._scheduler.wait_turn()
        if not has_body(environ):
            parts = app(environ, start_response)
            return Answer(self, parts, environ, None)
        body = Body(environ, self._scheduler)
        environ["wsgi.input"] = io.BufferedReader(body)

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            if not body.is_read:
                headers = [*headers, ("Connection", "close")]
            return start_response(status, headers, *exc_info)

        parts = app(environ, start)
        return Answer(self, parts, environ, body)


def has_body(environ: WSGIEnvironment) -> bool:
    """Whether a request says that a body follows (RFC 9112, section 6.3)."""
    return is_chunked(environ) or environ.get("CONTENT_LENGTH", "") not in ("", "0")


def is_chunked(environ: WSGIEnvironment) -> bool:
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def length_of(environ: WSGIEnvironment) -> int | None:
    """How many bytes a request says that its body has; None if it isn't a number that we read."""
    length = environ.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() and len(length) <= MAX_DIGITS else None


class Body(io.RawIOBase):
    """A request's body, read in turns."""

    def __init__(self, environ: WSGIEnvironment, scheduler: ReadScheduler) -> None:
        self.unread = environ["wsgi.input"]
        self._scheduler = scheduler
        self._step = STEP if is_chunked(environ) else MAX_STEP
        self._left = None if is_chunked(environ) else length_of(environ) or 0
        self.is_read = False
        """Whether nothing of it is left to be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read a step at most. What the server raises for a malformed body is passed on."""
        self._scheduler.wait_turn()
        size = min(len(buffer), self._step)
        if self._left is not None:
            size = min(size, self._left)  # Werkzeug's reads on for ever
        if not size:
            return 0
        began = monotonic()
        data = self.unread.read(size)
        if self._left is not None:
            self._left -= len(data)
        elif monotonic() - began < QUICK:
            self._step = min(2 * self._step, MAX_STEP)
        else:
            self._step = STEP
        self.is_read = self._left == 0 or not data
        buffer[: len(data)] = data
        return len(data)


class Answer:
    """An answer's parts; the connection is shut down if its client doesn't take one in time."""

    def __init__(
        self,
        guard: RequestGuard,
        parts: Iterable[bytes],
        environ: WSGIEnvironment,
        body: Body | None,
    ) -> None:
        self._guard = guard
        self._parts = parts
        self._environ = environ
        self._body = body
        self._deadline: Timer | None = None

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._expect_progress()
            yield part
        self._expect_progress()  # of a head without a body, or of the last chunk
        if self._body and not self._body.is_read:
            end_body(self._environ)

    def _expect_progress(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self._guard.clock.call_later(self._guard.seconds, self._give_up)

    def _give_up(self) -> None:
        self._guard.refused["answer_timeout"] += 1
        shut(self._environ)

    def close(self) -> None:
        """Leave what the application hasn't read of the request's body."""
        if self._deadline:
            self._deadline.cancel()
        if hasattr(self._parts, "close"):
            self._parts.close()
        if self._body and not self._body.is_read:
            self._guard.refused["unread_body"] += 1
            self._guard.linger(self._environ)
            leave_body(self._environ, self._body.unread)
