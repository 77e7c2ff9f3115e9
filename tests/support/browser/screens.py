"""Screens of the page as they are in the middle of a conversation, and who is in it."""

from __future__ import annotations

import re
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from support.browser.windows import enter, say, texts, unsent
from support.clients import SocketIOClient
from support.servers import UNLIMITED

THEMES = ["light", "dark", "contrast"]
LANGUAGES = ["en", "ar"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
FEW = {**UNLIMITED, "NAME_HOLD": "0.05", "MESSAGE_LIMIT": "4/3000"}
"""A server that soon takes no more messages: the next ones stay on their way."""
LONG = "\n".join(f"line {n} of a long story" for n in range(40))

numbers = count(1)


def dress(page: Page, **settings: str | list[str]) -> None:
    """Set settings, as another window of this browser would."""
    page.evaluate(
        """settings => {
            const kept = JSON.parse(localStorage.getItem("chat.settings") ?? "{}");
            localStorage.setItem("chat.settings", JSON.stringify({...kept, ...settings}));
            window.dispatchEvent(new StorageEvent("storage", {key: "chat.settings"}));
        }""",
        settings,
    )
    if language := settings.get("language"):
        expect(page.locator("html")).to_have_attribute("lang", language)
    is_painted(page)


def is_painted(page: Page) -> None:
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@pytest.fixture
def shows(visit):
    """Open a URL in a window without transitions: colours are what they'll be."""
    return lambda url, **options: visit(
        url, **{"reduced_motion": "reduce", "viewport": DESKTOP, **options}
    )


@pytest.fixture
def join():
    """Have a person come into the room of an address, by name."""
    people = []

    def join(address: str, name: str) -> SocketIOClient:
        url, room = address.split("/r/")
        person = SocketIOClient(url, "websocket")
        people.append(person)
        assert person.set_name(name)["ok"]
        assert person.call("join", {"room": room})["ok"]
        return person

    yield join
    for person in people:
        person.disconnect()


def tell(person: SocketIOClient, address: str, *messages: str) -> None:
    for message in messages:
        answer = person.call("msg", {"room": address.split("/r/")[1], "message": message})
        assert answer["ok"], answer


def type_on(page: Page, person: SocketIOClient, address: str) -> None:
    person.emit("typing", {"room": address.split("/r/")[1]})
    expect(page.locator("#typing")).not_to_be_empty()


def go_to(page: Page, room: str) -> None:
    """Also where the list of rooms is in a drawer."""
    link = page.locator(f"#room-list a[data-room={room}]")
    link.evaluate("link => link.click()")
    expect(link).to_have_attribute("aria-current", "page")


@pytest.fixture
def lively(shows, join, serve):
    """Open a room in which all has happened that can; its window, its address, and who is there."""

    def lively(**options) -> tuple[Page, str, SocketIOClient]:
        address = f"{serve('gunicorn', **FEW).url}/r/lively-{next(numbers)}"
        bo = join(address, "Bo")
        page = shows(address, **options)
        enter(page, "Ann")
        expect(page.locator("#message")).to_be_visible()
        say(page, "Hello **Bo**, `x` it is")
        expect(texts(page)).to_have_count(1)
        say(page, "\u200b")
        expect(unsent(page)).to_have_class(re.compile("failed"))
        go_to(page, "lobby")
        tell(bo, address, "@Ann look: https://example.org/a?b=c", "> so they said\nthey did")
        tell(bo, address, f"```\n{'code ' * 40}\n```", LONG)
        join(address, "Cy")
        room = address.split("/r/")[1]
        unread = page.locator(f"#room-list a[data-room={room}] .badge.unread [aria-hidden]")
        expect(unread).to_have_text("4")
        go_to(page, room)
        expect(page.locator(".row.new")).to_have_count(1)
        for n in range(4):
            say(page, f"my words {n}")
        expect(unsent(page).filter(has_text="Sending…")).to_have_count(1)
        expect(unsent(page).filter(has_text="Waiting for")).not_to_have_count(0)
        for part in (".own", "mark", ".code", "blockquote", ".text a", ".folded", ".day"):
            expect(page.locator(f"#message-container {part}")).not_to_have_count(0)
        expect(page.locator("#message-container .note").last).to_contain_text("Cy")
        return page, address, bo

    return lively
