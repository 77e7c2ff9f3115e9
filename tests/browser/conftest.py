"""Fixtures of the browser tests: the browser, its windows, and the server."""

from __future__ import annotations

import shutil
from itertools import count

import pytest
from playwright.sync_api import Page, sync_playwright
from support.browser.keyboard import others_join, typist  # noqa: F401
from support.browser.screens import busy_room, join, visit_still  # noqa: F401
from support.browser.windows import load, windows
from support.servers import UNLIMITED

OFFLINE_ARGS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
    *["--disable-background-networking", "--disable-component-update"],
]


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright):
    path = shutil.which("chromium-headless-shell")
    assert path, "the package chromium-headless-shell is missing; install it"
    browser = playwright.chromium.launch(executable_path=path, args=OFFLINE_ARGS)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser):
    """Open a URL in a new window. Errors of the page fail the test."""
    errors: list[str] = []
    with windows(browser) as open_window:

        def visit(url: str, **options) -> Page:
            page = open_window(**options)
            page.on("pageerror", lambda error: errors.append(str(error)))
            load(page, url)
            return page

        yield visit
    assert errors == []


numbers = count(1)


@pytest.fixture
def url(serve) -> str:
    """Return the URL of a server that holds names for 0.05 s."""
    return serve("gunicorn", **UNLIMITED, NAME_HOLD="0.05").url


@pytest.fixture
def room(url) -> str:
    """Return the URL of a new room."""
    return f"{url}/r/room-{next(numbers)}"
