"""Refuses requests for foreign host names, where only this machine can reach the server."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from chatapp.transport.http.addresses import is_local, normalize
from chatapp.transport.http.servers import server_socket
from chatapp.transport.logs import LimitedLog

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PORT = re.compile(r":\d*$", re.ASCII)
STATUS = "403 Forbidden"
BODY = b"This chat isn't served under this name. If it should be, add the name to CHATAPP_HOSTS.\n"
REFUSED_HOST = (
    "Refused a request for the host %.99a, as the server listens on %s and trusts no proxy. If it "
    "should be served under this name, add the name to CHATAPP_HOSTS; if a proxy is in front, set "
    "CHATAPP_TRUSTED_PROXIES (docs/operating.md, Behind a proxy)"
)

Guard = Callable[["WSGIApplication", "WSGIEnvironment", "StartResponse"], Iterable[bytes]]


class HostCheck:
    """A WSGI middleware that defends a chat on a loopback address against DNS rebinding.

    A page of evil.example may have its own name resolve to 127.0.0.1. For a browser that page and
    the chat then have one origin. The Host header tells them apart. `answer` has an application
    answer a request (guard.RequestGuard.answer).

    A request without Host isn't a browser's. A browser can't reach a Unix socket.
    """

    def __init__(self, app: WSGIApplication, names: frozenset[str], answer: Guard) -> None:
        self._app = app
        self._names = names
        self._answer = answer
        self._refusals = LimitedLog(logging.getLogger(__name__))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST")
        if host is None or self._is_served(host) or not listens_on_loopback(environ):
            return self._app(environ, start_response)
        self._refusals.warning(REFUSED_HOST, host, environ["SERVER_NAME"])
        return self._answer(refuse, environ, start_response)

    def _is_served(self, host: str) -> bool:
        name = PORT.sub("", host).lower().removesuffix(".")
        return name in self._names or is_loopback_name(name)


def is_loopback_name(name: str) -> bool:
    """Tell whether a name of a host always means this machine (RFC 6761, section 6.3)."""
    return name == "localhost" or name.endswith(".localhost") or is_loopback_address(name)


def is_loopback_address(text: str) -> bool:
    address = normalize(text)
    return bool(address) and is_local(address)


def listens_on_loopback(environ: WSGIEnvironment) -> bool:
    """Tell whether the server that took a request listens on a loopback address.

    SERVER_NAME is the address that it listens on. Only for a Unix socket, gunicorn takes it from
    the Host header.
    """
    sock = server_socket(environ)
    is_tcp = sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6)
    return is_tcp and is_loopback_name(environ["SERVER_NAME"])


def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request for a foreign host."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]
    start_response(STATUS, [*headers, ("Cache-Control", "no-store")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [BODY]
