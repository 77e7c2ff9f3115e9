"""A request as its client sent it, according to the trusted proxies that passed it on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from chatapp.transport.http.addresses import UNKNOWN, normalize

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""The scheme by X-Forwarded-Proto. Traefik says `ws` or `wss` for WebSockets."""
HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?", re.ASCII)
PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[\w.~-]+)+", re.ASCII)
"""A path whose segments need no encoding and aren't `.` or `..`.

It can't begin with `//`, as a redirect to `//host/` leads to another site.
"""


def forwarded_address(text: str) -> str:
    return normalize(text) or UNKNOWN


def forwarded_scheme(text: str) -> str:
    return SCHEMES.get(text.lower(), "")


def forwarded_host(text: str) -> str:
    return text if HOST.fullmatch(text) else ""


def forwarded_prefix(text: str) -> str:
    path = text.rstrip("/")
    return path if PREFIX.fullmatch(path) else ""


PARSERS: dict[str, Callable[[str], str]] = {
    "HTTP_X_FORWARDED_FOR": forwarded_address,
    "HTTP_X_FORWARDED_PROTO": forwarded_scheme,
    "HTTP_X_FORWARDED_HOST": forwarded_host,
    "HTTP_X_FORWARDED_PREFIX": forwarded_prefix,
}
"""The headers that are read. Each parser returns one value, or "" if there is none to use."""


class TrustedProxies:
    """A WSGI middleware for an application behind `count` proxies.

    A proxy appends its value to a header or replaces the header. The value is therefore the one
    that is `count` values from the end, or the first if there are fewer. So the outermost proxy
    must set these headers, or append to them. No other header is read: clients can send Forwarded,
    X-Real-IP or CF-Connecting-IP through proxies that don't know them.
    """

    def __init__(self, app: WSGIApplication, count: int) -> None:
        self._app = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
        self._count = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for name, parse in PARSERS.items():
            if name not in environ:
                continue
            values = environ.pop(name).split(",")
            if value := parse(values[-min(self._count, len(values))].strip()):
                environ[name] = value
        return self._app(environ, start_response)
