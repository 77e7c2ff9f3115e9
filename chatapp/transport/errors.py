"""The error for a client that breaks the protocols; its session ends."""

from __future__ import annotations


class MalformedPacket(ValueError):
    """A message that is no packet, or none that the client may send now."""
