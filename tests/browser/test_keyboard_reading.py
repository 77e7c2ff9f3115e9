"""By keyboard alone: reading, small windows, a lost connection, the whole page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import WebSocketRoute, expect
from support.browser.keyboard import LONG, PHONE, come_in, focus_is_kept, press, tab_to, write
from support.browser.screens import tell
from support.browser.windows import is_connected, names_here, texts

# Reading


def test_a_long_message_is_unfolded(typist, comes, room):
    tell(comes("Bo")[0], room, LONG)
    press(typist, "Show all")
    expect(typist.locator(".folded")).to_have_count(0)
    expect(typist.locator(":focus")).to_have_text("Show less")
    expect(typist.locator(":focus")).to_have_attribute("aria-expanded", "true")
    typist.keyboard.press("Enter")
    expect(typist.locator(".folded")).to_have_count(1)


def test_what_is_folded_away_is_in_view_when_it_is_come_to(typist, comes, room):
    tell(comes("Bo")[0], room, LONG + "\nhttps://example.org/hidden")
    tab_to(typist, typist.get_by_role("link", name="hidden"))
    assert typist.evaluate(
        """() => {
            const text = document.activeElement.closest(".text");
            const bottomOf = (element) => element.getBoundingClientRect().bottom;
            return text === null || bottomOf(document.activeElement) <= bottomOf(text);
        }"""
    )


def test_code_is_copied(typist, comes, room):
    tell(comes("Bo")[0], room, "```\nprint(1)\n```")
    copy = typist.locator(".code button")
    press(typist, copy)
    expect(copy).to_have_attribute("aria-label", "Copied")
    expect(copy).to_be_focused()
    assert typist.evaluate("navigator.clipboard.readText()") == "print(1)"


def test_the_messages_are_scrolled_and_the_newest_come_back_to(typist, comes, room):
    (bo,) = comes("Bo")
    tell(bo, room, *(f"message {n}" for n in range(60)))
    expect(texts(typist)).to_have_count(60)
    listing = typist.locator("#message-container")
    tab_to(typist, listing)
    at_end = listing.evaluate("list => list.scrollTop")
    for _ in range(5):
        typist.keyboard.press("ArrowUp")
    typist.wait_for_function(
        "top => document.querySelector('#message-container').scrollTop < top - 100", arg=at_end
    )
    typist.keyboard.press("Home")
    typist.wait_for_function("() => document.querySelector('#message-container').scrollTop === 0")
    tell(bo, room, "the newest")
    below = typist.locator(".below")
    expect(below).to_have_text("1 new message")
    press(typist, below)
    expect(texts(typist).last).to_be_in_viewport()
    expect(below).to_be_hidden()
    focus_is_kept(typist)


# Small windows


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_a_drawer_is_opened_and_closed(visit, room, drawer):
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    button = page.locator(f"#show-{drawer}")
    place = page.locator(f"#{drawer}")
    press(page, button)
    expect(place).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert place.evaluate("drawer => drawer.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(place).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    press(page, place.get_by_role("button", name="Close"))
    expect(place).to_be_hidden()
    expect(button).to_be_focused()


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_an_open_drawer_keeps_the_focus_from_what_it_covers(visit, room, comes, drawer):
    comes("Bo")
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    press(page, page.locator(f"#show-{drawer}"))
    expect(page.locator(f"#{drawer}")).to_be_visible()
    for _ in range(15):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "id => ['BODY', 'HTML'].includes(document.activeElement.tagName)"
            " || document.getElementById(id).contains(document.activeElement)",
            drawer,
        ), "the focus is under the veil"


def test_what_a_drawer_opened_comes_back_to_something_in_view(visit, room):
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    for button in ("#show-settings", "#change-name"):
        press(page, page.locator("#show-rooms"))
        press(page, page.locator(button))
        expect(page.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        focus_is_kept(page)
        page.keyboard.press("Escape")


def test_a_room_is_chosen_in_the_drawer(visit, room):
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    press(page, page.locator("#show-rooms"))
    press(page, page.locator("#room-list").get_by_role("link", name="Lobby"))
    expect(page.locator("#room-title")).to_have_text("Lobby")
    expect(page.locator("#rooms")).to_be_hidden()
    focus_is_kept(page)


# The connection


def test_the_connection_is_tried_now(typist):
    page, sockets, is_cut = typist, [], False

    def connect(socket: WebSocketRoute) -> None:
        if is_cut:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route(
        re.compile("/socket.io/"), lambda route: route.abort() if is_cut else route.continue_()
    )
    page.route_web_socket(re.compile("/socket.io/"), connect)
    page.add_init_script("Math.random = () => 0.99")  # each wait is as long as it may be
    page.reload()
    is_connected(page)
    is_cut = True
    for socket in sockets:
        socket.close()
    line = page.locator("#connection")
    expect(line).to_contain_text(re.compile(r"Reconnecting in ([78]|1\d) s"), timeout=60000)
    tab_to(page, line.get_by_role("button", name="Now"))
    is_cut = False
    page.keyboard.press("Enter")
    expect(line).to_contain_text("Connected", timeout=3000)
    focus_is_kept(page)


def test_one_comes_back_from_the_other_tab(typist):
    tab_to(typist, typist.locator("#message"))
    second = typist.context.new_page()
    second.goto(typist.url)
    second.wait_for_selector("body.is-ready")
    come_in(second, "Ann")
    expect(typist.locator("#away")).to_be_visible()
    typist.bring_to_front()
    typist.keyboard.press("Escape")
    typist.keyboard.press("Escape")
    expect(typist.locator("#away")).to_be_visible()
    press(typist, typist.get_by_role("button", name="Chat here instead"))
    expect(typist.locator("#away")).to_be_hidden()
    focus_is_kept(typist)
    write(typist, "back again")
    expect(texts(typist)).to_have_text(["back again"])


# The whole page


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 720}, PHONE])
@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_nothing_holds_the_focus_fast(visit, room, comes, viewport, key):
    (bo,) = comes("Bo")
    tell(bo, room, "see https://example.org", "```\ncode\n```", LONG)
    page = visit(room, viewport=viewport)
    come_in(page, "Ann")
    expect(names_here(page)).to_have_count(2)
    page.evaluate("document.activeElement.blur()")
    wanted = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll(
                "a[href], button:enabled, input, select, textarea, [tabindex='0']"
            )].filter((element) => element.checkVisibility());
            all.forEach((element, number) => (element.dataset.number = number));
            return all.length;
        }"""
    )
    come_to: list[str] = []
    for _ in range(2 * wanted):
        page.keyboard.press(key)
        number = page.evaluate("document.activeElement.dataset.number ?? ''")
        if number and number in come_to:
            break
        come_to.append(number)
    assert set(come_to) - {""} == {str(number) for number in range(wanted)}
