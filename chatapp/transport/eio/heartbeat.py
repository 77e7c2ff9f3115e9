"""Whether a session's client is still there (Engine.IO protocol 4, "Heartbeat")."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engineio import packet as engineio_packet
from engineio.packet import Packet

if TYPE_CHECKING:
    from chatapp.transport.eio.session import Connection


class Heartbeat:
    """Pings a session, and ends it where a ping has no answer in time, or where over polling it
    hasn't polled for the interval and timeout together (to a tenth of a second)."""

    __slots__ = ("_connection", "_pinged", "_timer")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pinged: float | None = None  # since when a ping has had no answer
        server = connection.server
        self._timer = server.clock.call_later(server.ping_interval, self._beat)

    def stop(self) -> None:
        self._timer.cancel()

    def answered(self) -> None:
        """A pong has come; one to a ping that was never polled for counts for nothing."""
        connection, server = self._connection, self._connection.server
        if self._pinged is None or connection.closed:
            return
        if connection.channel or connection.last_poll >= self._pinged:
            self._pinged = None
            self._timer.cancel()
            self._timer = server.clock.call_later(server.ping_interval, self._beat)

    def _beat(self) -> None:
        connection, server = self._connection, self._connection.server
        now = server.clock.now()
        left = server.ping_timeout - (0 if self._pinged is None else now - self._pinged)
        if not connection.channel and not connection.news:
            patience = server.ping_interval + server.ping_timeout
            # Whole tenths, as the clock wants few different numbers.
            left = min(left, math.ceil((connection.last_poll + patience - now) * 10) / 10)
        if left <= 0:
            server.spawn(connection.close, False, False, server.reason.PING_TIMEOUT)
            return
        self._timer = server.clock.call_later(left, self._beat)
        if self._pinged is None:
            self._pinged = now
            connection.send(Packet(engineio_packet.PING))
