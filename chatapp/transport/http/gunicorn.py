"""What is added to gunicorn's gevent worker, or gevent-websocket's, before it runs.

Both parse what they read before the application is called, and a read doesn't switch to another
greenlet while the kernel has bytes. So their sockets wait for their connection's turn after each
read; the rest of a request is guarded under every server (http.guard).
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
"""Connections that are accepted in a turn of the loop. gevent's 100 would let a storm of them fill
the queue before those that are there."""
HEAD_BYTES = 65536
"""Of a request's header fields under gevent's HTTP server, which by itself takes 6.5 MB."""


def guard_worker(
    worker: Any, connections: Connections, scheduler: ReadScheduler, seconds: float
) -> None:
    """Have `worker`, which isn't running yet, refuse an address's connections beyond its bound,
    read from each in its turn, and end one whose peer takes nothing for `seconds`."""
    end_stalled(worker.sockets, seconds)
    worker.log.error_log.addFilter(is_unexpected)
    StreamServer.max_accept = MAX_ACCEPT
    in_turns = partial(read_in_turns, cache(partial(socket_class, scheduler)))
    if worker.server_class is None:
        worker.handle = partial(serve, connections, in_turns, worker.handle)
    else:  # gevent's HTTP server
        worker.server_class = server_class(worker.server_class, connections, in_turns)
        worker.wsgi_handler = handler_class(worker.wsgi_handler)
        hub = get_hub()  # a client may have gone that is told of its malformed request
        hub.NOT_ERROR = (*hub.NOT_ERROR, ConnectionError, TimeoutError)


def is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a record tells of something else than a connection that the kernel has ended."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, OSError) and error.errno == errno.ETIMEDOUT)


def serve(
    connections: Connections,
    in_turns: Callable[[Any], Any],
    handle: Callable[..., Any],
    listener: Any,
    sock: Any,
    address: Any,
) -> None:
    """Have gunicorn's `handle` serve a connection, unless its address has too many."""
    host = host_of(address)
    if not connections.connect(host):
        refuse(sock)
        return
    try:
        handle(listener, in_turns(sock), address)
    finally:
        connections.disconnect(host)


def server_class(base: Any, connections: Connections, in_turns: Callable[[Any], Any]) -> type:
    class Server(base):  # type: ignore[misc]
        """gevent calls `do_close` once for each connection that `do_handle` has taken."""

        wrap_socket: Callable[..., Any]

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if self.ssl_enabled:
                wrap = self.wrap_socket
                self.wrap_socket = lambda sock, **options: in_turns(wrap(sock, **options))

        def do_handle(self, sock: Any, address: Any) -> None:
            if connections.connect(host_of(address)):
                super().do_handle(in_turns(sock), address)
            else:
                refuse(sock)

        def do_close(self, sock: Any, address: Any) -> None:
            super().do_close(sock, address)
            connections.disconnect(host_of(address))

    return Server


def handler_class(base: Any) -> type:
    class Handler(base):  # type: ignore[misc]
        """Refuses a request whose header fields are over HEAD_BYTES with 400."""

        ignored_socket_errors = (*base.ignored_socket_errors, errno.ETIMEDOUT)

        def MessageClass(self, head: Any, *arguments: Any) -> Any:  # noqa: N802 (gevent's name)
            return super().MessageClass(Head(head), *arguments)

    return Handler


class Head:
    """A request's head, of which so many bytes are read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = HEAD_BYTES

    def readline(self, size: int) -> bytes:
        """Return the next line.

        Raises:
            LineTooLong: it is over the bound; gevent's server takes this for a bad request.
        """
        line: bytes = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head")
        return line


def read_in_turns(class_of: Callable[[type], type], sock: Any) -> Any:
    """Have `sock`, which a server has just accepted, wait for its turn after each read."""
    sock.__class__ = class_of(type(sock))
    return sock


def socket_class(scheduler: ReadScheduler, base: Any) -> type:
    """Return a subclass of a class of sockets, which waits for its turn after each read."""

    class InTurns(base):  # type: ignore[misc]
        __slots__ = ()

        def recv(self, *arguments: Any) -> Any:
            return self._in_turn(super().recv(*arguments))

        def recv_into(self, *arguments: Any) -> Any:
            return self._in_turn(super().recv_into(*arguments))

        def _in_turn(self, received: Any) -> Any:
            if received and self.gettimeout() != 0:  # else it's read on the loop
                scheduler.wait_after_read()
            return received

    return InTurns
