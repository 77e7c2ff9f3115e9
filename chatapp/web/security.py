"""Security headers, the origins that may connect, and the proxies that are trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.wsgi import get_host

from chatapp.transport.logs import LimitedLog
from chatapp.web.hosts import HostCheck
from chatapp.web.proxies import TrustedProxies

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
]
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
REFUSED_ORIGIN = (
    "Refused a page of the origin %.99a, as this server is %.99a to it. If the page may connect, "
    "add its origin to CHATAPP_ALLOWED_ORIGINS. If a proxy is in front, set "
    "CHATAPP_TRUSTED_PROXIES, and let the proxy set X-Forwarded-Proto and pass on Host with its "
    "port (docs/operating.md, Behind a proxy)"
)


def init_app(app: Flask, trusted_proxies: int, hosts: frozenset[str]) -> None:
    """Wrap the WSGI application of `app`. Call it after Socket.IO has wrapped that."""
    wrapped: WSGIApplication = app.wsgi_app
    if not trusted_proxies:
        guard = app.extensions["socketio"].server.eio.guard
        wrapped = HostCheck(wrapped, hosts, guard.answer)
    wrapped = SecurityHeaders(wrapped)
    if trusted_proxies:
        wrapped = TrustedProxies(wrapped, trusted_proxies)
    app.wsgi_app = wrapped  # type: ignore[method-assign]


class SecurityHeaders:
    """A WSGI middleware that adds HEADERS to every answer."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, headers + HEADERS, *exc_info)

        return self._app(environ, start)


def origin_rule(allowed: frozenset[str]) -> Callable[[str | None, WSGIEnvironment], bool]:
    """Return a function that decides whether a page of an origin may connect (RFC 6454).

    The server's own origin may connect, and those in `allowed`, where `*` is any. So may a client
    without an origin, which is a program. The server's own origin is that of the request, after
    TrustedProxies has applied the headers of trusted proxies.
    """
    if "*" in allowed:
        logger.warning("ALLOWED_ORIGINS has *: any page may connect in its visitors' names")
    refusals = LimitedLog(logger)

    def may_connect(origin: str | None, environ: WSGIEnvironment) -> bool:
        if not origin:
            return True
        origin = origin.lower()
        scheme = environ["wsgi.url_scheme"]
        own = f"{scheme}://{get_host(environ)}".lower()
        if (
            "*" in allowed
            or origin in allowed
            or origin.removesuffix(DEFAULT_PORTS.get(origin.partition(":")[0], "\0")) == own
        ):
            return True
        refusals.warning(REFUSED_ORIGIN, origin, own)
        return False

    return may_connect
