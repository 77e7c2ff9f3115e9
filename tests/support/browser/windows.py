"""Windows of the page, and actions of a user in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from playwright.sync_api import Browser, Locator, Page, expect

MESSAGES = "#message-container .message:not(.unsent)"


@contextmanager
def windows(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a window, with a context's options; close all in the end."""
    with ExitStack() as contexts:

        def open_window(**options) -> Page:
            context = browser.new_context(**options)
            contexts.callback(context.close)
            return context.new_page()

        yield open_window


def load(page: Page, url: str) -> None:
    """Open the chat's page, and wait until it can be used."""
    page.goto(url)
    page.wait_for_selector("body.is-ready")


def enter_name(page: Page, name: str) -> None:
    page.get_by_placeholder("Enter your name!").fill(name)
    page.get_by_role("button", name="Let me chat!").click()


def join_as(page: Page, name: str) -> None:
    """Enter a name and wait until the server has given it and the room is joined."""
    enter_name(page, name)
    expect(page.locator("#people-list .you")).to_have_count(1)


def send(page: Page, message: str) -> None:
    page.locator("#message").fill(message)
    page.get_by_role("button", name="Send").click()


def messages(page: Page) -> Locator:
    return page.locator(MESSAGES)


def message_texts(page: Page) -> Locator:
    """Return the texts of acknowledged messages."""
    return page.locator(f"{MESSAGES} .text")


def user_names(page: Page) -> Locator:
    return page.locator("#people-list bdi")


def unsent_messages(page: Page) -> Locator:
    return page.locator("#message-container .unsent")


def delay_reconnection(page: Page, seconds: float) -> None:
    """Have the page wait this long before its next reconnection, whose delay is random."""
    # connection.js: delay = 500 ms * (0.5 + random / 2) after the first failure
    page.evaluate("random => void (Math.random = () => random)", 4 * seconds - 1)


def wait_until_connected(page: Page) -> None:
    expect(page.locator("#connection")).to_contain_text("Connected")


def wait_until_disconnected(page: Page) -> None:
    """Wait for a failed attempt: one that has just started may still reach the server."""
    expect(page.locator("#connection")).to_have_attribute("data-phase", "waiting")
