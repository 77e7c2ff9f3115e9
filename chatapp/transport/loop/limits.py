"""Bounds on what one client may send, hold and delay."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.transport.loop.meter import MeterRate


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of each session. All are security limits; times are in seconds."""

    outbox_bytes: int = 131072
    """Bytes that may wait for a client that doesn't read."""
    stall: float = 2.0
    """A client is cut off if it takes nothing of what waits for this time."""
    request_timeout: float = 10.0
    """The time for a request's body, for an upgrade, and for each part of an answer."""
    max_message_bytes: int = 1_000_000
    """The size of one message or one request's body."""
    packet_limit: MeterRate | None = None
    """Units that one session may send, of any kind (loop.meter); None is no limit."""
    ping_interval: float = 25.0
    ping_timeout: float = 20.0

    @property
    def session_timeout(self) -> float:
        """The time after which a silent client is taken for gone."""
        return self.ping_interval + self.ping_timeout
