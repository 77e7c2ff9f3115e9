"""The opening handshake (RFC 6455, section 4.2)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from chatapp.transport.websocket.handshake import HandshakeError, accept, is_upgrade

ASKED = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_UPGRADE": "WebSocket",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


def test_valid_request_is_answered_with_101():
    """Section 1.3 gives the key and its answer."""
    assert is_upgrade(ASKED)
    head = accept(ASKED)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_CONNECTION", "keep-alive"),
        ("HTTP_CONNECTION", "Upgraded"),
        ("HTTP_UPGRADE", "h2c"),
        ("HTTP_UPGRADE", ""),
    ],
)
def test_request_without_upgrade_is_no_websocket(name, value):
    assert not is_upgrade({**ASKED, name: value})


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("REQUEST_METHOD", "POST", 400),
        ("SERVER_PROTOCOL", "HTTP/1.0", 400),
        ("HTTP_SEC_WEBSOCKET_KEY", "", 400),
        ("HTTP_SEC_WEBSOCKET_KEY", "\xff" * 24, 400),
        ("HTTP_SEC_WEBSOCKET_KEY", "dGhlIHNhbXBsZSBub25jZQ=", 400),
        ("HTTP_TRANSFER_ENCODING", "chunked", 400),
        ("CONTENT_LENGTH", "2", 400),
        ("HTTP_SEC_WEBSOCKET_KEY", b64encode(b"x" * 15).decode(), 400),
        ("HTTP_SEC_WEBSOCKET_KEY", b64encode(b"x" * 17).decode(), 400),
        ("HTTP_SEC_WEBSOCKET_VERSION", "", 426),
        ("HTTP_SEC_WEBSOCKET_VERSION", "8", 426),
        ("HTTP_SEC_WEBSOCKET_VERSION", "13, 8", 426),
    ],
)
def test_invalid_request_is_refused(name, value, status):
    """Section 4.2.1; the answer to an unknown version names ours (section 4.4)."""
    with pytest.raises(HandshakeError) as refused:
        accept({**ASKED, name: value})
    assert refused.value.status.startswith(str(status))
    if status == 426:
        assert ("Sec-WebSocket-Version", "13") in refused.value.headers
