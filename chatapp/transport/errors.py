"""What breaks the transport's rules: no answer, the connection ends."""

from __future__ import annotations


class MalformedPacket(ValueError):
    """What came isn't a packet, or none that a client may send (docs/wire.md, Bounds)."""
