"""The chat with a page of socket.io-client 2.3.1 (tests/browser/oldest) at /oldest/.

Use it to test pages that were written for socket.io 2.
"""

from __future__ import annotations

from pathlib import Path

from flask import Response, abort, send_file

from chatapp import create_app

TESTS = Path(__file__).parent.parent.parent
PAGE = TESTS / "browser/oldest"
FILES = {
    "index.html": PAGE / "index.html",
    "oldest.js": PAGE / "oldest.js",
    "socket.io.js": TESTS / "node_modules/socket.io-client-2.3/dist/socket.io.js",
}

app = create_app()


@app.get("/oldest/<name>")
def part(name: str) -> Response:
    return send_file(FILES[name]) if name in FILES else abort(404)
