"""What is refused, in the reference server's words; what a request's head says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatapp.transport.eio.packet import JSON

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

UNKNOWN_TRANSPORT = (0, "Transport unknown")
UNKNOWN_SID = (1, "Session ID unknown")
BAD_HANDSHAKE_METHOD = (2, "Bad handshake method")
BAD_REQUEST = (3, "Bad request")
JSONP = (3, "JSONP polling isn't supported")
FORBIDDEN = (4, "Forbidden")
UNSUPPORTED_PROTOCOL_VERSION = (5, "Unsupported protocol version")
"""Errors as the reference server words them (engine.io, Server.errorMessages), but for JSONP's."""


class EngineHTTPError(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, error: tuple[int, str], status: str = "400 Bad Request", *headers: tuple[str, str]
    ) -> None:
        self.error = error
        self.status = status
        self.headers = list(headers)

    def content(self, upgrade: bool) -> tuple[str, str]:
        """The content type and body of the answer, as the reference server has them."""
        code, message = self.error
        if upgrade:
            return "text/html", message
        return "application/json", JSON.dumps({"code": code, "message": message})


def cors_headers(origin: str, environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """What a browser asks for that lets a page of `origin` in (Fetch, "CORS protocol")."""
    headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    ]
    if environ["REQUEST_METHOD"] == "OPTIONS":
        headers.append(("Access-Control-Allow-Methods", "GET, POST"))
        headers.append(("Access-Control-Max-Age", "600"))
        if asked := environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS"):
            headers.append(("Access-Control-Allow-Headers", asked))
    return headers
