"""The blueprint: the page, and whether the service lives and is ready."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from chatapp.store.base import Log


def blueprint(log: Log, title: str, max_message_chars: int) -> Blueprint:
    """`/`, `/healthz` and `/readyz` (docs/wire.md, HTTP)."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def page() -> str:
        return render_template("chat.html", title=title, max_message_chars=max_message_chars)

    @pages.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @pages.get("/readyz")
    def readyz() -> Response:
        if log.available():
            return Response("ok\n", mimetype="text/plain")
        return Response("the store takes no messages now\n", 503, mimetype="text/plain")

    return pages
