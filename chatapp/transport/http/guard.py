"""A WSGI middleware that keeps one request from harming the others.

Each request waits until it is scheduled. A body is read in steps, between which others are served;
if the application leaves a part of it, that part isn't read and the connection is closed. An answer
that its client doesn't take in time is given up. No server does all this by itself; gunicorn reads
an unread body to its end.
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
"""Bytes of a chunked body in the first step; each may be a chunk, which costs 6 µs."""
MAX_STEP = 65536
MAX_DIGITS = 15
"""Digits of a body's length; longer numbers aren't read."""
LINGER_SECONDS = 2.0
MAX_LINGERING = 100
QUICK = 0.001  # seconds
"""After a step that took less, the next one is twice as long."""


class RequestGuard:
    """Answers requests by an application that it guards.

    `seconds`: how long a client may take for each part of an answer. `refused` counts the bodies
    and answers that were left.
    """

    def __init__(
        self, scheduler: ReadScheduler, clock: Clock, seconds: float, refused: Counter[str]
    ) -> None:
        self.clock = clock
        self.seconds = seconds
        self.refused = refused
        self._scheduler = scheduler
        self._lingering: dict[Any, None] = {}  # sockets, the oldest first

    def linger(self, environ: WSGIEnvironment) -> None:
        """Keep the connection of an unread body open for a while, without reading it.

        Its client then gets the answer and not a reset. It soon can't send any more.
        """
        sock = server_socket(environ)
        if sock is None:
            return
        with suppress(OSError):
            copy = duplicate(sock)
            self._lingering[copy] = None
            self.clock.call_later(LINGER_SECONDS, partial(self._end, copy))
            copy.shutdown(socket.SHUT_WR)
        while len(self._lingering) > MAX_LINGERING:
            self._end(next(iter(self._lingering)))

    def _end(self, sock: Any) -> None:
        self._lingering.pop(sock, None)
        sock.close()

    def answer(
        self, app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Return the answer of `app` to a request, once the request is scheduled."""
        self._scheduler.wait_for_step()
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
    """Return whether a request says that a body follows (RFC 9112, section 6.3)."""
    return is_chunked(environ) or environ.get("CONTENT_LENGTH", "") not in ("", "0")


def is_chunked(environ: WSGIEnvironment) -> bool:
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def length_of(environ: WSGIEnvironment) -> int | None:
    """Return a request's Content-Length, or 0 without one, or None if it is invalid."""
    length = environ.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() and len(length) <= MAX_DIGITS else None


class Body(io.RawIOBase):
    """A request's body, read in steps."""

    def __init__(self, environ: WSGIEnvironment, scheduler: ReadScheduler) -> None:
        self.unread = environ["wsgi.input"]
        self._scheduler = scheduler
        self._step = STEP if is_chunked(environ) else MAX_STEP
        self._left = None if is_chunked(environ) else length_of(environ) or 0
        self.is_read = False
        """Whether all of it has been read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to a step. The server's own error for a malformed body is passed on."""
        self._scheduler.wait_for_step()
        size = min(len(buffer), self._step)
        if self._left is not None:
            size = min(size, self._left)  # Werkzeug's input blocks beyond the body
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
    """An answer's parts. If the client doesn't take one in time, its connection is shut down."""

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
        self._expect_progress()  # for a head without a body, or for the last chunk
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
        """Close the connection later if the application has left a part of the request's body."""
        if self._deadline:
            self._deadline.cancel()
        if hasattr(self._parts, "close"):
            self._parts.close()
        if self._body and not self._body.is_read:
            self._guard.refused["unread_body"] += 1
            self._guard.linger(self._environ)
            leave_body(self._environ, self._body.unread)
