"""WebSockets (RFC 6455): frames and handshake without I/O, and a transport on a socket."""
