"""WebSockets (RFC 6455): the protocol without I/O, its handshake, and a channel on a socket."""
