"""What a person does who has but a keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from support.browser.screens import is_painted
from support.clients import SocketIOClient

PHONE = {"width": 390, "height": 700}
MOST_TABS = 60
LONG = "\n".join(f"line {n} of a long story" for n in range(40))
COPYING = {"permissions": ["clipboard-read", "clipboard-write"]}


def tab_to(page: Page, target: str | Locator) -> Locator:
    """Press Tab until `target`, or the button or link of that name, has the focus."""
    if isinstance(target, str):
        target = page.get_by_role("button", name=target).or_(page.get_by_role("link", name=target))
    expect(target.first).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate_all("(all) => all.includes(document.activeElement)"):
            return page.locator(":focus")
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab doesn't come to {target}")


def press(page: Page, target: str | Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def write(page: Page, words: str) -> None:
    """Write and send a message."""
    tab_to(page, page.locator("#message"))
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def focus_is_kept(page: Page) -> None:
    """Something that can be seen has the focus, once the page has been painted."""
    is_painted(page)
    assert page.evaluate(
        "document.activeElement !== document.body && document.activeElement.checkVisibility()"
    ), "the focus is lost"


def come_in(page: Page, name: str) -> None:
    tab_to(page, page.locator("#name"))
    page.keyboard.press("Control+a")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_visible()


@pytest.fixture
def typist(visit, room) -> Page:
    """Ann in a room, at her keyboard."""
    page = visit(room, **COPYING)
    come_in(page, "Ann")
    return page


@pytest.fixture
def comes(room):
    """Have people come into the room."""
    people = []

    def comes(*names: str) -> list[SocketIOClient]:
        for name in names:
            person = SocketIOClient(room.split("/r/")[0], "websocket")
            people.append(person)
            assert person.set_name(name)["ok"]
            assert person.call("join", {"room": room.split("/r/")[1]})["ok"]
        return people[-len(names) :]

    yield comes
    for person in people:
        person.disconnect()
