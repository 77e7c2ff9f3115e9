"""A WebSocket on a real socket, under any of the servers that took its request."""

from __future__ import annotations

import itertools
import select
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chatapp.transport.http.servers import duplicate
from chatapp.transport.loop.clock import Timer
from chatapp.transport.loop.meter import units_of
from chatapp.transport.loop.outbox import WOULD_BLOCK
from chatapp.transport.loop.reading import FRAMES_PER_SLICE
from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.protocol import NORMAL, POLICY_VIOLATION, WebSocket
from chatapp.transport.websocket.receiver import Receiver

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

RECEIVE_BYTES = 65536
LINGER_SECONDS = 2.0
"""How long a closed WebSocket is read, so that its peer gets a close frame and no reset."""


class WebSocketTransport:
    """Reads a WebSocket for its `receiver`, and writes to it without waiting.

    Under gevent a watcher on the loop reads, without a greenlet. The socket has a descriptor of its
    own, so the handler of the request may return. In threads, `run` reads.
    """

    __slots__ = (
        "_closing",
        "_ended",
        "_linger_timer",
        "_lock",
        "_paused",
        "_protocol",
        "_run_event",
        "_runtime",
        "_scheduled",
        "_sock",
        "_tls",
        "_watcher",
        "outbox",
        "receiver",
    )

    def __init__(self, sock: socket.socket, protocol: WebSocket, runtime: Runtime) -> None:
        self.receiver: Receiver | None = None
        self._runtime = runtime
        self._protocol = protocol
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._sock: Any = sock if self._tls else duplicate(sock)
        self._sock.settimeout(0)
        self.outbox = runtime.outbox(self._sock, self._cut)
        self._watcher: Any = None
        self._closing = False
        self._ended = False
        self._paused = False
        self._scheduled = False  # waits for the scheduler to have it read
        self._linger_timer: Timer | None = None
        self._run_event: Any = None  # set at the end, for `run`
        self._lock = runtime.lock()

    def survives_request(self, environ: WSGIEnvironment) -> bool:
        """Return whether the handler of the request that made it may return.

        gunicorn's gevent worker closes its own descriptor without shutting the socket down. A TLS
        socket has no other descriptor.
        """
        return self._runtime.gevent and not self._tls and "gunicorn.socket" in environ

    def open(self, receiver: Receiver, first: bytes) -> None:
        """Write `first`, and hand what comes in to `receiver`."""
        self.receiver = receiver
        self.outbox.write(first)
        if self._runtime.gevent:
            from gevent import get_hub  # noqa: PLC0415 (threads need none)

            self._watcher = get_hub().loop.io(self._sock.fileno(), 1)
            self.resume_reading()

    def run(self) -> None:
        """Return once the WebSocket has ended; in threads, read it until then."""
        if self._runtime.gevent:
            self._run_event = self._runtime.event()
            if not self._ended:
                self._run_event.wait()
            return
        readable = select.poll()
        readable.register(self._sock.fileno(), select.POLLIN)
        while not self._ended:
            readable.poll()
            self.read()

    def pause_reading(self) -> None:
        """Stop reading: too much waits to be handled."""
        self._paused = True
        if self._watcher:
            self._watcher.stop()

    def resume_reading(self) -> None:
        self._paused = False
        if self._watcher and not self._ended and not self._scheduled:
            if self._protocol.more:
                self._runtime.scheduler.used_up(self)
            else:
                self._watch()

    def _watch(self) -> None:
        self._watcher.start(self._runtime.scheduler.ready, self)

    def pause(self) -> None:
        """Wait for the scheduler (reading.Readable)."""
        self._scheduled = True
        self._watcher.stop()

    def resume_and_read(self) -> None:
        """Read for a slice (reading.Readable)."""
        self._scheduled = False
        if not self._paused and not self._ended:
            self._watch()
            self.read()

    def write(self, data: bytes) -> None:
        """Write a finished frame."""
        self.outbox.write(data)

    def close(self, code: int = NORMAL) -> None:
        """Begin the closing handshake (RFC 6455, section 7)."""
        if self._closing:
            return
        with self._lock:
            self._protocol.close(code)
            answer = self._protocol.to_send()
        self._finish(answer)

    def abort(self) -> None:
        """End it without a close frame."""
        self._closing = True
        if self._runtime.gevent:
            self._end()
        else:
            self._shutdown()

    def read(self) -> None:
        """Read what has come, unless reading is paused; under gevent, for up to a slice."""
        while not self._watcher or self._watcher.active:
            received = None
            if not self._protocol.more:
                received = self._receive()
                if received is None:
                    return
            if not self._closing:
                self._take(received)
            if received == b"":
                self._end()
            if self._ended or self._paused or self._scheduled:
                return
            if self._protocol.more:
                if self._watcher:
                    self._runtime.scheduler.used_up(self)
                    return
            elif not (self._tls and self._sock.pending()):
                return

    def _receive(self) -> bytes | None:
        """Read once from the socket. Return b"" at its end, and None if nothing has come."""
        try:
            received: bytes = self._sock.recv(RECEIVE_BYTES)
        except WOULD_BLOCK:
            return None
        except OSError:
            return b""
        return received

    def _take(self, received: bytes | None) -> None:
        """Hand the messages in `received` to the receiver, after those read before."""
        assert self.receiver
        protocol = self._protocol
        before = protocol.frames
        if received is not None:
            with self._lock:
                protocol.receive(received)
        for step in itertools.count(1):
            with self._lock:
                message = protocol.next_message() if protocol.more else None
                answer = protocol.to_send()
            if answer and not protocol.ended:
                self.outbox.write(answer)
            if message is not None:
                self.receiver.received(message)
            if not protocol.more or self._paused or not self._has_time_left(step):
                break
        units = units_of(len(received or b""), protocol.frames - before)
        if not self.receiver.charge(units) and not protocol.ended:
            with self._lock:
                protocol.close(POLICY_VIOLATION)
                answer = protocol.to_send()
        if protocol.ended and not self._closing:
            self._closing = True
            self.receiver.ended()  # before the close frame, after which a name must be free
            if received != b"":  # else nobody reads the answer
                self._finish(answer)

    def _has_time_left(self, step: int) -> bool:
        if not self._watcher:
            return True
        return step < FRAMES_PER_SLICE and self._runtime.scheduler.has_time_left()

    def _finish(self, answer: bytes) -> None:
        self._closing = True
        self.outbox.finish(answer)
        self._linger_timer = self._runtime.clock.call_later(LINGER_SECONDS, self.abort)
        self.resume_reading()

    def _cut(self) -> None:
        if self.receiver and not self._closing:
            self._closing = True
            self.receiver.ended()
        self.abort()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._linger_timer:
            self._linger_timer.cancel()
        if self._run_event:
            self._run_event.set()
        if self._watcher:
            self._watcher.stop()
            self._watcher.close()
        self._shutdown()
        self.outbox.release()

    def _shutdown(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
