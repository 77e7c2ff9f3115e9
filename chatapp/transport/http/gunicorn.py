"""Additions to gunicorn's gevent worker, or gevent-websocket's, before it runs.

Both parse a request's head before the application is called, and a read doesn't switch to another
greenlet while the kernel has bytes. So after each read their sockets wait until the connection is
scheduled. The rest of a request is guarded under every server (http.guard).
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from functools import cache, partial
from http.client import LineTooLong
from typing import Any

from gevent import get_hub
from gevent.server import StreamServer

from chatapp.transport.http.accepting import Connections, end_stalled, host_of, refuse
from chatapp.transport.loop.reading import ReadScheduler

MAX_ACCEPT = 16
"""Connections that are accepted in an iteration of the loop.

With gevent's 100, a storm of new connections would delay those that are open.
"""
MAX_HEAD_BYTES = 65536
"""Bytes of a request's header fields under gevent's HTTP server, which takes 6.5 MB."""


def guard_worker(
    worker: Any, connections: Connections, scheduler: ReadScheduler, seconds: float
) -> None:
    """Guard the connections of `worker`, which isn't running yet.

    It refuses an address's connections beyond the bound, reads from each only when that is
    scheduled, and ends one whose peer takes nothing for `seconds`.
    """
    end_stalled(worker.sockets, seconds)
    worker.log.error_log.addFilter(is_unexpected)
    StreamServer.max_accept = MAX_ACCEPT
    wrap = partial(schedule_reads, cache(partial(socket_class, scheduler)))
    if worker.server_class is None:
        worker.handle = partial(serve, connections, wrap, worker.handle)
    else:  # gevent's HTTP server
        worker.server_class = server_class(worker.server_class, connections, wrap)
        worker.wsgi_handler = handler_class(worker.wsgi_handler)
        hub = get_hub()  # a client may have gone before its malformed request is answered
        hub.NOT_ERROR = (*hub.NOT_ERROR, ConnectionError, TimeoutError)


def is_unexpected(record: logging.LogRecord) -> bool:
    """Return false for a log record about a connection that the kernel has ended."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, OSError) and error.errno == errno.ETIMEDOUT)


def serve(
    connections: Connections,
    wrap: Callable[[Any], Any],
    handle: Callable[..., Any],
    listener: Any,
    sock: Any,
    address: Any,
) -> None:
    """Have gunicorn's `handle` serve a connection unless its address has too many."""
    host = host_of(address)
    if not connections.connect(host):
        refuse(sock)
        return
    try:
        handle(listener, wrap(sock), address)
    finally:
        connections.disconnect(host)


def server_class(base: Any, connections: Connections, wrap: Callable[[Any], Any]) -> type:
    class Server(base):  # type: ignore[misc]
        """Counts connections: gevent calls `do_close` once for each that `do_handle` has taken."""

        wrap_socket: Callable[..., Any]

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if self.ssl_enabled:
                start_tls = self.wrap_socket
                self.wrap_socket = lambda sock, **options: wrap(start_tls(sock, **options))

        def do_handle(self, sock: Any, address: Any) -> None:
            if connections.connect(host_of(address)):
                super().do_handle(wrap(sock), address)
            else:
                refuse(sock)

        def do_close(self, sock: Any, address: Any) -> None:
            super().do_close(sock, address)
            connections.disconnect(host_of(address))

    return Server


def handler_class(base: Any) -> type:
    class Handler(base):  # type: ignore[misc]
        """Refuses a request whose header fields are over MAX_HEAD_BYTES with 400."""

        ignored_socket_errors = (*base.ignored_socket_errors, errno.ETIMEDOUT)

        def MessageClass(self, head: Any, *arguments: Any) -> Any:  # noqa: N802 (gevent's name)
            return super().MessageClass(Head(head), *arguments)

    return Handler


class Head:
    """A request's head, of which up to MAX_HEAD_BYTES are read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MAX_HEAD_BYTES

    def readline(self, size: int) -> bytes:
        """Return the next line.

        Raises:
            LineTooLong: the head is over the bound; gevent's server answers that with 400.
        """
        line: bytes = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head")
        return line


def schedule_reads(class_of: Callable[[type], type], sock: Any) -> Any:
    """Have `sock`, which a server has just accepted, wait for the scheduler after each read."""
    sock.__class__ = class_of(type(sock))
    return sock


def socket_class(scheduler: ReadScheduler, base: Any) -> type:
    """Return a subclass of a socket class that waits for the scheduler after each read."""

    class ScheduledSocket(base):  # type: ignore[misc]
        __slots__ = ()

        def recv(self, *arguments: Any) -> Any:
            return self._scheduled(super().recv(*arguments))

        def recv_into(self, *arguments: Any) -> Any:
            return self._scheduled(super().recv_into(*arguments))

        def _scheduled(self, received: Any) -> Any:
            if received and self.gettimeout() != 0:  # 0: it is read on the loop
                scheduler.wait_after_read()
            return received

    return ScheduledSocket
