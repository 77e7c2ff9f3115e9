"""What a WebSocket hands its messages to."""

from __future__ import annotations

from typing import Protocol


class Receiver(Protocol):
    """Takes what a WebSocket receives, on gevent's loop or in the reading thread."""

    def received(self, message: str | bytes) -> None:
        """Take a message; must not block under gevent."""

    def charge(self, units: int) -> bool:
        """Count what has come (meter.units_of), and return whether the client may send more."""

    def ended(self) -> None:
        """Take notice that nothing more will come."""
