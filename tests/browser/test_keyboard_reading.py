"""Test reading, small windows and reconnecting with the keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import WebSocketRoute, expect
from support.browser.keyboard import (
    LONG,
    PHONE,
    assert_focus_kept,
    join_by_keyboard,
    press,
    tab_to,
    type_message,
)
from support.browser.screens import send_as
from support.browser.windows import (
    delay_reconnection,
    message_texts,
    user_names,
    wait_until_connected,
)

# Reading


def test_long_message_is_expanded_and_folded(typist, others_join, room):
    send_as(others_join("Bo")[0], room, LONG)
    press(typist, "Show all")
    expect(typist.locator(".folded")).to_have_count(0)
    expect(typist.locator(":focus")).to_have_text("Show less")
    expect(typist.locator(":focus")).to_have_attribute("aria-expanded", "true")
    typist.keyboard.press("Enter")
    expect(typist.locator(".folded")).to_have_count(1)


def test_focused_link_in_a_folded_message_is_visible(typist, others_join, room):
    send_as(others_join("Bo")[0], room, LONG + "\nhttps://example.org/hidden")
    tab_to(typist, typist.get_by_role("link", name="hidden"))
    assert typist.evaluate(
        """() => {
            const text = document.activeElement.closest(".text");
            const bottomOf = (element) => element.getBoundingClientRect().bottom;
            return text === null || bottomOf(document.activeElement) <= bottomOf(text);
        }"""
    )


def test_code_is_copied(typist, others_join, room):
    send_as(others_join("Bo")[0], room, "```\nprint(1)\n```")
    copy = typist.locator(".code button")
    press(typist, copy)
    expect(copy).to_have_attribute("aria-label", "Copied")
    expect(copy).to_be_focused()
    assert typist.evaluate("navigator.clipboard.readText()") == "print(1)"


def test_messages_are_scrolled_and_the_button_returns_to_the_newest(typist, others_join, room):
    (bo,) = others_join("Bo")
    send_as(bo, room, *(f"message {n}" for n in range(60)))
    expect(message_texts(typist)).to_have_count(60)
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
    send_as(bo, room, "the newest")
    below = typist.locator(".below")
    expect(below).to_have_text("1 new message")
    press(typist, below)
    expect(message_texts(typist).last).to_be_in_viewport()
    expect(below).to_be_hidden()
    assert_focus_kept(typist)


# Small windows


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_drawer_is_opened_and_closed(visit, room, drawer):
    page = visit(room, viewport=PHONE)
    join_by_keyboard(page, "Ann")
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
def test_open_drawer_keeps_the_focus_inside(visit, room, others_join, drawer):
    others_join("Bo")
    page = visit(room, viewport=PHONE)
    join_by_keyboard(page, "Ann")
    press(page, page.locator(f"#show-{drawer}"))
    expect(page.locator(f"#{drawer}")).to_be_visible()
    for _ in range(15):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "id => ['BODY', 'HTML'].includes(document.activeElement.tagName)"
            " || document.getElementById(id).contains(document.activeElement)",
            drawer,
        ), "the focus is outside the drawer"


def test_focus_is_visible_after_a_dialog_opened_from_a_drawer(visit, room):
    page = visit(room, viewport=PHONE)
    join_by_keyboard(page, "Ann")
    for button in ("#show-settings", "#change-name"):
        press(page, page.locator("#show-rooms"))
        press(page, page.locator(button))
        expect(page.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert_focus_kept(page)
        page.keyboard.press("Escape")


def test_room_is_chosen_in_the_drawer(visit, room):
    page = visit(room, viewport=PHONE)
    join_by_keyboard(page, "Ann")
    press(page, page.locator("#show-rooms"))
    press(page, page.locator("#room-list").get_by_role("link", name="Lobby"))
    expect(page.locator("#room-title")).to_have_text("Lobby")
    expect(page.locator("#rooms")).to_be_hidden()
    assert_focus_kept(page)


# The connection


def test_connection_is_retried_with_the_button(typist):
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
    page.reload()
    wait_until_connected(page)
    delay_reconnection(page, seconds=30)
    is_cut = True
    for socket in sockets:
        socket.close()
    line = page.locator("#connection")
    expect(line).to_contain_text(re.compile(r"Reconnecting in \d\d s"))
    tab_to(page, line.get_by_role("button", name="Now"))
    is_cut = False
    page.keyboard.press("Enter")
    expect(line).to_contain_text("Connected", timeout=3000)
    assert_focus_kept(page)


def test_name_is_taken_back_from_another_tab(typist):
    tab_to(typist, typist.locator("#message"))
    second = typist.context.new_page()
    second.goto(typist.url)
    second.wait_for_selector("body.is-ready")
    join_by_keyboard(second, "Ann")
    expect(typist.locator("#away")).to_be_visible()
    typist.bring_to_front()
    typist.keyboard.press("Escape")
    typist.keyboard.press("Escape")
    expect(typist.locator("#away")).to_be_visible()
    press(typist, typist.get_by_role("button", name="Chat here instead"))
    expect(typist.locator("#away")).to_be_hidden()
    assert_focus_kept(typist)
    type_message(typist, "back again")
    expect(message_texts(typist)).to_have_text(["back again"])


# The whole page


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 720}, PHONE])
@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_nothing_traps_the_focus(visit, room, others_join, viewport, key):
    (bo,) = others_join("Bo")
    send_as(bo, room, "see https://example.org", "```\ncode\n```", LONG)
    page = visit(room, viewport=viewport)
    join_by_keyboard(page, "Ann")
    expect(user_names(page)).to_have_count(2)
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
