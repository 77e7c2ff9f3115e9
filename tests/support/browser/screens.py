"""Screens of the page in the middle of a conversation."""

from __future__ import annotations

import re
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from support.browser.windows import enter_name, message_texts, send, unsent_messages
from support.clients import SocketIOClient
from support.servers import UNLIMITED

THEMES = ["light", "dark", "contrast"]
LANGUAGES = ["en", "ar"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
LIMITED = {**UNLIMITED, "NAME_HOLD": "0.05", "MESSAGE_LIMIT": "4/3000"}
"""A server that accepts 4 messages: later ones stay in the state `sending`."""
LONG = "\n".join(f"line {n} of a long story" for n in range(40))

numbers = count(1)


def apply_settings(page: Page, **settings: str | list[str]) -> None:
    """Change settings as another tab of the browser would."""
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
    wait_for_paint(page)


def wait_for_paint(page: Page) -> None:
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@pytest.fixture
def visit_still(visit):
    """Open a URL in a window without transitions, so that colours are final at once."""
    return lambda url, **options: visit(
        url, **{"reduced_motion": "reduce", "viewport": DESKTOP, **options}
    )


@pytest.fixture
def join():
    """Have a client join the room of a URL."""
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


def send_as(person: SocketIOClient, address: str, *messages: str) -> None:
    for message in messages:
        answer = person.call("msg", {"room": address.split("/r/")[1], "message": message})
        assert answer["ok"], answer


def show_typing(page: Page, person: SocketIOClient, address: str) -> None:
    person.emit("typing", {"room": address.split("/r/")[1]})
    expect(page.locator("#typing")).not_to_be_empty()


def switch_room(page: Page, room: str) -> None:
    """Switch to a room, even if the list of rooms is in a closed drawer."""
    link = page.locator(f"#room-list a[data-room={room}]")
    link.evaluate("link => link.click()")
    expect(link).to_have_attribute("aria-current", "page")


@pytest.fixture
def busy_room(visit_still, join, serve):
    """Open a room with every kind of row; return its page, its URL and another client."""

    def busy_room(**options) -> tuple[Page, str, SocketIOClient]:
        address = f"{serve('gunicorn', **LIMITED).url}/r/lively-{next(numbers)}"
        bo = join(address, "Bo")
        page = visit_still(address, **options)
        enter_name(page, "Ann")
        expect(page.locator("#message")).to_be_visible()
        send(page, "Hello **Bo**, `x` it is")
        expect(message_texts(page)).to_have_count(1)
        send(page, "\u200b")
        expect(unsent_messages(page)).to_have_class(re.compile("failed"))
        switch_room(page, "lobby")
        send_as(bo, address, "@Ann look: https://example.org/a?b=c", "> so they said\nthey did")
        send_as(bo, address, f"```\n{'code ' * 40}\n```", LONG)
        join(address, "Cy")
        room = address.split("/r/")[1]
        unread = page.locator(f"#room-list a[data-room={room}] .badge.unread [aria-hidden]")
        expect(unread).to_have_text("4")
        switch_room(page, room)
        expect(page.locator(".row.new")).to_have_count(1)
        for n in range(4):
            send(page, f"my words {n}")
        expect(unsent_messages(page).filter(has_text="Sending…")).to_have_count(1)
        expect(unsent_messages(page).filter(has_text="Waiting for")).not_to_have_count(0)
        for part in (".own", "mark", ".code", "blockquote", ".text a", ".folded", ".day"):
            expect(page.locator(f"#message-container {part}")).not_to_have_count(0)
        expect(page.locator("#message-container .note").last).to_contain_text("Cy")
        return page, address, bo

    return busy_room
