"""Fixtures for hostile texts: a window that records everything they cause."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from support.browser.hostile import FORBIDDEN_NODES, TRAP, name_of
from support.clients import SocketIOClient
from support.servers import UNLIMITED


@pytest.fixture
def trapped(browser):
    """Open a URL in a window where no text may run code, make a request or cause an error."""
    contexts = []
    outside: list[str] = []
    pages: list[Page] = []

    def visit(url: str, **options) -> Page:
        origin = "/".join(url.split("/")[:3])
        own = re.compile(
            rf"(http|ws){re.escape(origin.removeprefix('http'))}/|data:image/svg\+xml,"
        )
        contexts.append(browser.new_context(**options))
        contexts[-1].on("page", lambda opened: pages.append(opened))  # noqa: PLW0108
        contexts[-1].add_init_script(TRAP)
        page = contexts[-1].new_page()
        page.on("request", lambda asked: own.match(asked.url) or outside.append(asked.url))
        page.on("websocket", lambda opened: own.match(opened.url) or outside.append(opened.url))
        page.on("pageerror", lambda error: outside.append(str(error)))
        page.on("dialog", lambda dialog: outside.append(dialog.message))
        page.goto(url)
        page.wait_for_selector("body.is-ready")
        return page

    yield visit
    sprung = [page.evaluate("window.sprung") for page in pages]
    strangers = [page.evaluate(FORBIDDEN_NODES) for page in pages]
    for context in contexts:
        context.close()
    assert (outside, sprung, strangers) == ([], [[]] * len(contexts), [[]] * len(contexts))


@pytest.fixture
def url(serve) -> str:
    """Return the URL of a server without rate limits, in memory."""
    return serve("gunicorn", **UNLIMITED, STORE="memory:", NAME_HOLD="0.05").url


@pytest.fixture
def mallory(room) -> Iterator[SocketIOClient]:
    """Return a client in the room, which sends hostile texts."""
    mallory = SocketIOClient(room.partition("/r/")[0], "websocket")
    mallory.set_name("Mallory")
    mallory.call("join", {"room": name_of(room)})
    yield mallory
    mallory.disconnect()
