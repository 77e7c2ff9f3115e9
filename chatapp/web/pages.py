"""The blueprint: the page, what a device asks to install it, and whether the service is ready."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug import Response as BaseResponse

from chatapp.chat.log import Log
from chatapp.chat.rooms import ROOM

STATIC = Path(__file__).resolve().parent.parent / "static"
LANGUAGES = sorted(path.stem for path in (STATIC / "js" / "words").glob("*.js"))
IMPORT = re.compile(r'^import .* from "(\.[^"]+)";$', re.MULTILINE)
FOR_EVER = 365 * 24 * 3600
"""Seconds that a browser may keep a static file, whose address changes when any of them does."""


def modules(language: str) -> tuple[list[str], list[str]]:
    """All modules, so that the page asks for them at once and none waits for what imports it: those
    until the first message is seen (the connection first), and those around it."""
    first = imported(STATIC / "js" / "connection.js", [])
    first = imported(STATIC / "js" / "main.js", first)
    first = [*first, STATIC / "js" / "words" / f"{language}.js"]
    panels = imported(STATIC / "js" / "panels.js", first.copy())[len(first) :]
    return names(first), names(panels)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(STATIC).as_posix() for path in paths]


def imported(module: Path, found: list[Path]) -> list[Path]:
    """What is `found` so far, with a module and all that it imports."""
    if module not in found:
        found.append(module)
        for name in IMPORT.findall(module.read_text()):
            imported((module.parent / name).resolve(), found)
    return found


def static_path() -> str:
    """Where static files are: modules import each other by paths beneath it."""
    digest = sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


def blueprint(log: Log, title: str, max_message_chars: int) -> Blueprint:
    """`/`, `/r/NAME`, `/manifest.webmanifest`, `/healthz`, `/readyz` (docs/wire.md, HTTP)."""
    pages = Blueprint("pages", __name__)
    in_order = {language: modules(language) for language in LANGUAGES}

    @pages.get("/")
    def start() -> Response:
        return page("start")

    @pages.get("/r/<name>")
    def room(name: str) -> BaseResponse:
        if not ROOM.fullmatch(name):
            abort(404)
        if name != name.lower():
            return redirect(url_for(".room", name=name.lower()))
        return page("room")

    def page(view: str) -> Response:
        """The page, in the language that the browser asks for; which room it shows, it reads from
        its address."""
        wanted = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())
        language = next((code for code in wanted if code in LANGUAGES), "en")
        text = render_template(
            "chat.html",
            view=view,
            language=language,
            title=title,
            max_message_chars=max_message_chars,
            modules=in_order[language],
        )
        return Response(text, headers={"Vary": "Accept-Language", "Cache-Control": "no-cache"})

    @pages.get("/manifest.webmanifest")
    def manifest() -> Response:
        text = render_template("manifest.webmanifest", title=title)
        return Response(text, mimetype="application/manifest+json")

    @pages.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @pages.get("/readyz")
    def readyz() -> Response:
        if log.available():
            return Response("ok\n", mimetype="text/plain")
        return Response("the store takes no messages now\n", 503, mimetype="text/plain")

    return pages
