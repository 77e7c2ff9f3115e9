"""Socket.IO over sockets, strict and bounded, and the same under every server."""
