"""A browser, and people at its windows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, sync_playwright

ALONE = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
    *["--disable-background-networking", "--disable-component-update"],
]


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def browser(playwright, chromium):
    browser = playwright.chromium.launch(executable_path=chromium, args=ALONE)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser):
    """Open a URL in a window of its own; errors of the page fail the test."""
    errors: list[str] = []

    def visit(url: str, **options) -> Page:
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        return page

    yield visit
    assert errors == []
