"""Tools for tests that use the page with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from support.browser.screens import wait_for_paint
from support.clients import SocketIOClient

PHONE = {"width": 390, "height": 700}
MAX_TABS = 60
LONG = "\n".join(f"line {n} of a long story" for n in range(40))
COPYING = {"permissions": ["clipboard-read", "clipboard-write"]}


def tab_to(page: Page, target: str | Locator) -> Locator:
    """Press Tab until `target`, or the button or link of that name, has the focus."""
    if isinstance(target, str):
        target = page.get_by_role("button", name=target).or_(page.get_by_role("link", name=target))
    expect(target.first).to_be_visible()
    for _ in range(MAX_TABS):
        if target.evaluate_all("(all) => all.includes(document.activeElement)"):
            return page.locator(":focus")
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab doesn't reach {target}")


def press(page: Page, target: str | Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def type_message(page: Page, words: str) -> None:
    """Type and send a message."""
    tab_to(page, page.locator("#message"))
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def assert_focus_kept(page: Page) -> None:
    """Expect that a visible element has the focus after the next frame."""
    wait_for_paint(page)
    assert page.evaluate(
        "document.activeElement !== document.body && document.activeElement.checkVisibility()"
    ), "the focus is lost"


def join_by_keyboard(page: Page, name: str) -> None:
    tab_to(page, page.locator("#name"))
    page.keyboard.press("Control+a")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("#people-list .you")).to_have_count(1)


@pytest.fixture
def typist(visit, room) -> Page:
    """Return the page of Ann in a room."""
    page = visit(room, **COPYING)
    join_by_keyboard(page, "Ann")
    return page


@pytest.fixture
def others_join(room):
    """Have clients with these names join the room, and return them."""
    people = []

    def others_join(*names: str) -> list[SocketIOClient]:
        for name in names:
            person = SocketIOClient(room.split("/r/")[0], "websocket")
            people.append(person)
            assert person.set_name(name)["ok"]
            assert person.call("join", {"room": room.split("/r/")[1]})["ok"]
        return people[-len(names) :]

    yield others_join
    for person in people:
        person.disconnect()
