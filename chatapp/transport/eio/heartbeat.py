"""Whether a session's client is still there (Engine.IO protocol 4, "Heartbeat")."""

from __future__ import annotations

import math
from typing import Protocol

from engineio import packet as engineio_packet
from engineio.packet import Packet

from chatapp.transport.loop.clock import Timer
from chatapp.transport.loop.runtime import Runtime


class Monitored(Protocol):
    """The session that a heartbeat watches."""

    runtime: Runtime
    closed: bool

    @property
    def last_poll(self) -> float:
        """When the last poll was answered."""

    @property
    def over_websocket(self) -> bool:
        """Whether the session is over a WebSocket."""

    @property
    def awaits_poll(self) -> bool:
        """Whether the session is over polling and no poll waits for its packets."""

    def send(self, packet: Packet) -> None: ...

    def time_out(self) -> None:
        """End the session, in a task of its own: the client has been silent for too long."""


def whole_tenths(seconds: float) -> float:
    """Round up to a tenth of a second, so that the clock has few different delays to keep."""
    return math.ceil(seconds * 10) / 10


class Heartbeat:
    """Pings a session, and ends it if the client doesn't answer or doesn't poll in time.

    A ping must be answered within the ping timeout. A client over polling must poll within the
    session timeout, to a tenth of a second.
    """

    __slots__ = ("_pinged", "_session", "_timer")

    def __init__(self, session: Monitored) -> None:
        self._session = session
        self._pinged: float | None = None  # when the unanswered ping was sent
        self._timer = self._schedule(session.runtime.limits.ping_interval)

    def _schedule(self, seconds: float) -> Timer:
        return self._session.runtime.clock.call_later(seconds, self._beat)

    def stop(self) -> None:
        self._timer.cancel()

    def pong(self) -> None:
        """Take a pong. A pong to a ping that the client has never polled for doesn't count."""
        session = self._session
        if self._pinged is None or session.closed:
            return
        if session.over_websocket or session.last_poll >= self._pinged:
            self._pinged = None
            self._timer.cancel()
            self._timer = self._schedule(session.runtime.limits.ping_interval)

    def _beat(self) -> None:
        session = self._session
        limits = session.runtime.limits
        now = session.runtime.clock.now()
        left = limits.ping_timeout - (0 if self._pinged is None else now - self._pinged)
        if session.awaits_poll:
            left = min(left, whole_tenths(session.last_poll + limits.session_timeout - now))
        if left <= 0:
            session.time_out()
            return
        self._timer = self._schedule(left)
        if self._pinged is None:
            self._pinged = now
            session.send(Packet(engineio_packet.PING))
