"""The blueprint: the page, and whether the service lives and is ready."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from werkzeug import Response as BaseResponse

from chatapp import wire
from chatapp.store.base import Log


def blueprint(log: Log, title: str, max_message_chars: int) -> Blueprint:
    """`/`, `/r/NAME`, `/healthz` and `/readyz` (docs/wire.md, HTTP)."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def lobby() -> str:
        return page_of(wire.LOBBY)

    @pages.get("/r/<name>")
    def room(name: str) -> str | BaseResponse:
        if not wire.ROOM.fullmatch(name):
            abort(404)
        if name != name.lower():
            return redirect(url_for(".room", name=name.lower()))
        return page_of(name)

    def page_of(room: str) -> str:
        return render_template(
            "chat.html", room=room, title=title, max_message_chars=max_message_chars
        )

    @pages.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @pages.get("/readyz")
    def readyz() -> Response:
        if log.available():
            return Response("ok\n", mimetype="text/plain")
        return Response("the store takes no messages now\n", 503, mimetype="text/plain")

    return pages
