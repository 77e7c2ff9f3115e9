"""Errors over HTTP, with the reference server's codes and messages, and headers for CORS."""

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
NO_SOCKET = (3, "This server gives no access to its sockets; use gunicorn or flask run")
STOPPING = (3, "The server is stopping")
TOO_MANY = (3, "Too many connections")
"""Codes and messages. Those of the reference server are from Server.errorMessages."""


class EngineHTTPError(Exception):
    """A request that is answered with an error.

    `error` is a code and a message; `headers` are sent besides those of each answer.
    """

    def __init__(
        self, error: tuple[int, str], status: str = "400 Bad Request", *headers: tuple[str, str]
    ) -> None:
        self.error = error
        self.status = status
        self.headers = list(headers)

    def content(self, upgrade: bool) -> tuple[str, str]:
        """Return the content type and body of the answer, in the reference server's form."""
        code, message = self.error
        if upgrade:
            return "text/html", message
        return "application/json", JSON.dumps({"code": code, "message": message})


def cors_headers(origin: str, environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """Return the headers that let a page of `origin` read the answer (Fetch, "CORS protocol")."""
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
