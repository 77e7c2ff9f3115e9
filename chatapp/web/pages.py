"""The blueprint: the page, its manifest, and the health checks."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug import Response as BaseResponse

from chatapp.chat.log import Log
from chatapp.chat.people.names import INPUT_BOUND
from chatapp.chat.rooms import MAX_ROOM_CHARS, MAX_ROOMS, ROOM, ROOM_PATTERN
from chatapp.chat.wire import MAX_PAGE

STATIC = Path(__file__).resolve().parent.parent / "static"
LANGUAGES = sorted(path.stem for path in (STATIC / "js" / "words").glob("*.js"))
IMPORT = re.compile(r'^import .* from "(\.[^"]+)";$', re.MULTILINE)
FOR_EVER = 365 * 24 * 3600
"""Seconds that a browser may cache a static file: any change changes its path."""
BOUNDS = {
    "max_name_input": INPUT_BOUND,
    "max_room_chars": MAX_ROOM_CHARS,
    "max_rooms": MAX_ROOMS,
    "page_size": MAX_PAGE,
    "room_pattern": ROOM_PATTERN,
}
"""Bounds of the rules that the page needs, too; its template hands them on."""


def modules(language: str) -> tuple[list[str], list[str]]:
    """Return all modules, which the page preloads: no module has to wait for its importer.

    First those that the first message needs, the connection before all, then the others.
    """
    first = imported(STATIC / "js" / "connection.js", [])
    first = imported(STATIC / "js" / "main.js", first)
    first = [*first, STATIC / "js" / "words" / f"{language}.js"]
    panels = imported(STATIC / "js" / "panels.js", first.copy())[len(first) :]
    return names(first), names(panels)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(STATIC).as_posix() for path in paths]


def imported(module: Path, found: list[Path]) -> list[Path]:
    """Add a module and all that it imports to `found`, and return that."""
    if module not in found:
        found.append(module)
        for name in IMPORT.findall(module.read_text()):
            imported((module.parent / name).resolve(), found)
    return found


def static_path() -> str:
    """Return the path of the static files, which contains a digest of all of them.

    Modules import each other by relative paths, so one digest for all files is needed.
    """
    digest = sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


def page_blueprint(title: str, max_message_chars: int) -> Blueprint:
    """Create the blueprint of the page: `/`, `/r/NAME` and `/manifest.webmanifest`."""
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
        """Render the page in the browser's language. The page reads its room from its address."""
        wanted = (tag.partition("-")[0].lower() for tag in request.accept_languages.values())
        language = next((code for code in wanted if code in LANGUAGES), "en")
        text = render_template(
            "chat.html",
            view=view,
            language=language,
            title=title,
            max_message_chars=max_message_chars,
            modules=in_order[language],
            **BOUNDS,
        )
        return Response(text, headers={"Vary": "Accept-Language", "Cache-Control": "no-cache"})

    @pages.get("/manifest.webmanifest")
    def manifest() -> Response:
        text = render_template("manifest.webmanifest", title=title)
        return Response(text, mimetype="application/manifest+json")

    return pages


def health_blueprint(log: Log) -> Blueprint:
    """Create the blueprint of `/healthz` and `/readyz` (docs/wire.md, HTTP)."""
    health = Blueprint("health", __name__)

    @health.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @health.get("/readyz")
    def readyz() -> Response:
        if log.available():
            return Response("ok\n", mimetype="text/plain")
        return Response("the store takes no messages now\n", 503, mimetype="text/plain")

    return health
