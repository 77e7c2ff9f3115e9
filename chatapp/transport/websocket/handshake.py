"""A WebSocket's opening handshake (RFC 6455, section 4.2)."""

from __future__ import annotations

import binascii
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING

from chatapp.transport.http.guard import has_body

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

KEY_BYTES = 16
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

SUPPORTED = ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")
RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)


class HandshakeError(Exception):
    """A request that opens no WebSocket, with the status and headers of its answer."""

    def __init__(self, status: str, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


def is_upgrade(environ: WSGIEnvironment) -> bool:
    """Return whether a request asks for a WebSocket."""
    asked = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
    return asked and "upgrade" in connection_options(environ)


def connection_options(environ: WSGIEnvironment) -> list[str]:
    """Return the options in a request's Connection header in lower case (RFC 9110, 7.6.1)."""
    connection: str = environ.get("HTTP_CONNECTION", "").lower()
    return [option.strip() for option in connection.split(",")]


def accept(environ: WSGIEnvironment) -> bytes:
    """Return the 101 that opens the WebSocket for which a request asks (section 4.2.2).

    Raises:
        HandshakeError: 426 for another version of the protocol, 400 for what section 4.2.1 forbids
            and for a body. A proxy might not agree with us where a body ends and frames begin.
    """
    version = environ.get("HTTP_SEC_WEBSOCKET_VERSION")
    if version != "13":
        raise HandshakeError("426 Upgrade Required", *SUPPORTED)
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "").encode("latin-1")
    is_http_1_0 = environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
    is_plain_get = environ["REQUEST_METHOD"] == "GET" and not has_body(environ)
    if is_http_1_0 or not is_plain_get or not is_key(key):
        raise HandshakeError("400 Bad Request")
    return RESPONSE % b64encode(sha1(key + GUID, usedforsecurity=False).digest())


def is_key(key: bytes) -> bool:
    """Return whether `key` is 16 bytes in base64 (section 4.1)."""
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == KEY_BYTES
    except binascii.Error:
        return False
