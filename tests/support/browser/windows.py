"""What a person does in a window of the page."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

MESSAGES = "#message-container .message:not(.unsent)"


def enter_name(page: Page, name: str) -> None:
    page.get_by_placeholder("Enter your name!").fill(name)
    page.get_by_role("button", name="Let me chat!").click()


def send(page: Page, message: str) -> None:
    page.locator("#message").fill(message)
    page.get_by_role("button", name="Send").click()


def messages(page: Page) -> Locator:
    return page.locator(MESSAGES)


def message_texts(page: Page) -> Locator:
    """What was said, without what isn't acknowledged yet."""
    return page.locator(f"{MESSAGES} .text")


def user_names(page: Page) -> Locator:
    return page.locator("#people-list bdi")


def unsent_messages(page: Page) -> Locator:
    return page.locator("#message-container .unsent")


def wait_until_connected(page: Page) -> None:
    expect(page.locator("#connection")).to_contain_text("Connected")


def wait_until_disconnected(page: Page) -> None:
    """An attempt has failed: one that has just begun may be through before the network is gone."""
    expect(page.locator("#connection")).to_have_attribute("data-phase", "waiting")
