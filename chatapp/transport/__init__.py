"""From bytes to Socket.IO events and back: bounded, strict, the same under every server."""
