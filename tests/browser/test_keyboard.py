"""Test that the page can be used with the keyboard alone, and never loses the focus."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from support.browser.keyboard import (
    COPYING,
    assert_focus_kept,
    join_by_keyboard,
    press,
    tab_to,
    type_message,
)
from support.browser.screens import send_as
from support.browser.windows import message_texts, messages, unsent_messages

# Rooms and the start page


def test_new_room_is_created(visit, url):
    page = visit(url, **COPYING)
    press(page, page.locator("#start").get_by_role("button", name="Start a new room"))
    expect(page.locator("#room-title")).to_have_text(re.compile(r"^[a-z]+(-[a-z]+){4}$"))
    expect(page.locator("#name")).to_be_focused()
    expect(page.locator("#troubles")).to_contain_text("The link is copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    join_by_keyboard(page, "Ann New")
    expect(page.locator("#message")).to_be_focused()


def test_new_room_is_created_with_a_name_set(typist):
    press(
        typist,
        typist.locator("#rooms").get_by_role("button", name="Start a new room"),
    )
    expect(typist.locator("#room-title")).to_have_text(re.compile(r"^[a-z]+(-[a-z]+){4}$"))
    assert_focus_kept(typist)


def test_room_is_opened_by_its_name(visit, url):
    page = visit(url)
    tab_to(page, page.locator("#open-room"))
    page.keyboard.type("no room?")
    page.keyboard.press("Enter")
    expect(page.locator("#open-room-error")).to_contain_text("1 to 64 letters")
    expect(page.locator("#open-room")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("By-Keyboard")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{url}/r/by-keyboard")
    expect(page.locator("#room-title")).to_have_text("by-keyboard")
    expect(page.locator("#name")).to_be_focused()


def test_lobby_is_opened(visit, url):
    page = visit(url)
    press(page, "Go to the lobby")
    expect(page.locator("#room-title")).to_have_text("Lobby")
    assert_focus_kept(page)


def test_name_input_has_focus_after_following_a_link(visit, room):
    page = visit(room)
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("a\u200bb")
    page.keyboard.press("Enter")
    expect(page.locator("#error-container")).to_contain_text("U+200B")
    expect(page.locator("#name")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()


def test_rooms_are_switched(typist):
    name = typist.url.split("/r/")[1]
    press(typist, typist.locator("#room-list").get_by_role("link", name="Lobby"))
    expect(typist.locator("#room-title")).to_have_text("Lobby")
    assert_focus_kept(typist)
    press(typist, typist.locator("#room-list").get_by_role("link", name=name))
    expect(typist.locator("#room-title")).to_have_text(name)
    assert_focus_kept(typist)


def test_room_is_left(typist):
    name = typist.url.split("/r/")[1]
    press(typist, "Leave this room")
    expect(typist.locator("#start")).to_be_visible()
    expect(typist.locator("#rooms").get_by_role("link", name=name)).to_have_count(0)
    assert_focus_kept(typist)


@pytest.mark.parametrize("is_named", [False, True])
def test_skip_link_focuses_the_main_input(visit, room, is_named):
    page = visit(room)
    if is_named:
        join_by_keyboard(page, "Ann")
    press(page, page.locator(".skip"))
    expect(page.locator("#message" if is_named else "#name")).to_be_focused()


def test_skip_link_of_the_start_page_leads_into_it(visit, url):
    page = visit(url)
    press(page, page.locator(".skip"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#start').contains(document.activeElement)")


# Writing


def test_message_is_sent_with_the_button(typist):
    tab_to(typist, typist.locator("#message"))
    typist.keyboard.type("by the button")
    press(typist, "Send", "Space")
    expect(message_texts(typist)).to_have_text(["by the button"])
    expect(typist.locator("#message")).to_be_focused()


def reload_and_focus(page: Page, handle: Callable[[Route], object]) -> None:
    """Reload the page and focus the composer, so that `handle` gets the emoji table's request."""
    page.route("**/gemoji*", handle)
    page.reload()
    page.wait_for_selector("body.is-ready")
    tab_to(page, page.locator("#message"))


def test_tab_completes_an_emoji_once_the_table_has_loaded(typist):
    held: list[Route] = []
    with typist.expect_request("**/gemoji*"):
        reload_and_focus(typist, lambda route: held.append(route))  # noqa: PLW0108 (Playwright needs one)
    typist.keyboard.type(":rocke")
    typist.keyboard.press("Tab")
    with typist.expect_event("requestfinished", lambda request: "/gemoji" in request.url):
        held[0].continue_()
    expect(typist.locator("#message")).to_have_value("🚀")
    expect(typist.locator("#message")).to_be_focused()


def test_tab_moves_on_if_the_emoji_table_fails_to_load(typist):
    with typist.expect_event("requestfailed"):
        reload_and_focus(typist, lambda route: route.abort())
    typist.keyboard.type(":rocke")
    typist.keyboard.press("Tab")
    expect(typist.locator("#message")).not_to_be_focused()


def test_failed_message_is_retried_and_removed(typist):
    type_message(typist, "\u200b")
    expect(unsent_messages(typist)).to_have_class(re.compile("failed"))
    press(typist, "Try again")
    expect(unsent_messages(typist)).to_have_class(re.compile("failed"))
    assert_focus_kept(typist)
    press(typist, typist.get_by_role("button", name="Remove"))
    expect(unsent_messages(typist)).to_have_count(0)
    assert_focus_kept(typist)


# Users


def test_user_is_mentioned_ignored_and_unignored(typist, others_join, room):
    (bo,) = others_join("Bo")
    people = typist.locator("#people-list")
    press(typist, people.get_by_role("button", name=re.compile(r"^(Mention )?\W*Bo\W*$")))
    expect(typist.locator("#message")).to_be_focused()
    expect(typist.locator("#message")).to_have_value("@Bo ")
    send_as(bo, room, "something")
    expect(message_texts(typist)).to_have_text(["something"])
    press(typist, people.get_by_role("button", name=re.compile("Ignore")))
    expect(message_texts(typist)).to_have_count(0)
    assert_focus_kept(typist)
    press(typist, people.get_by_role("button", name=re.compile("Don't ignore")))
    expect(message_texts(typist)).to_have_text(["something"])
    assert_focus_kept(typist)


def test_sender_of_a_message_is_mentioned(typist, others_join, room):
    send_as(others_join("Bo")[0], room, "something")
    press(typist, messages(typist).get_by_role("button", name=re.compile("Bo")))
    expect(typist.locator("#message")).to_be_focused()
    expect(typist.locator("#message")).to_have_value("@Bo ")


def test_ignored_users_are_unignored_in_the_settings(typist, others_join):
    others_join("Bo", "Cy")
    for name in ("Bo", "Cy"):
        press(
            typist,
            typist.locator("#people-list").get_by_role("button", name=f"Ignore \u2068{name}"),
        )
    press(typist, "Settings")
    press(
        typist,
        typist.locator("#settings").get_by_role("button", name=re.compile("Bo")),
    )
    expect(typist.locator("#settings li")).to_have_count(1)
    assert_focus_kept(typist)
    press(
        typist,
        typist.locator("#settings").get_by_role("button", name=re.compile("Cy")),
    )
    expect(typist.locator("#settings li")).to_have_count(0)
    assert_focus_kept(typist)


def test_user_is_renamed(typist):
    press(typist, "Change your name")
    expect(typist.locator("#new-name")).to_be_focused()
    typist.keyboard.type("a\u200bb")
    typist.keyboard.press("Enter")
    expect(typist.locator("#rename-error")).not_to_be_empty()
    typist.keyboard.press("Control+a")
    typist.keyboard.type("Anna")
    typist.keyboard.press("Enter")
    expect(typist.locator("#rename")).to_be_hidden()
    expect(typist.locator("#own-name")).to_have_text("Anna")
    expect(typist.locator("#change-name")).to_be_focused()


# The room


def test_room_is_muted_and_unmuted(typist):
    mute = typist.locator("#mute")
    press(typist, "Mute this room", "Space")
    expect(mute).to_have_attribute("aria-pressed", "true")
    expect(mute).to_be_focused()
    typist.keyboard.press("Space")
    expect(mute).to_have_attribute("aria-pressed", "false")


def test_link_is_copied_and_the_alert_dismissed(typist):
    press(typist, "Copy link")
    expect(typist.locator(".trouble")).to_contain_text("copied")
    assert typist.evaluate("navigator.clipboard.readText()") == typist.url
    expect(typist.locator("#copy-link")).to_be_focused()
    press(typist, "Dismiss")
    expect(typist.locator(".trouble")).to_have_count(0)
    assert_focus_kept(typist)


def test_settings_are_changed(typist):
    press(typist, typist.locator("#show-settings"))
    tab_to(typist, typist.get_by_label("Colours"))
    typist.keyboard.press("ArrowDown")
    typist.keyboard.press("ArrowDown")
    expect(typist.locator("html")).to_have_attribute("data-theme", "dark")
    expect(typist.get_by_label("Colours")).to_be_focused()
    press(typist, typist.get_by_label("Compact"), "Space")
    expect(typist.locator("html")).to_have_attribute("data-compact", "")
    expect(typist.get_by_label("Compact")).to_be_focused()
    tab_to(typist, typist.get_by_label("Language"))
    typist.keyboard.press("d")
    expect(typist.locator("html")).to_have_attribute("lang", "de")
    expect(typist.locator("#setting-language")).to_be_focused()
    typist.keyboard.press("Escape")
    expect(typist.locator("#settings")).to_be_hidden()
    expect(typist.locator("#show-settings")).to_be_focused()


def test_language_is_chosen_by_typing_its_name(typist):
    press(typist, typist.locator("#show-settings"))
    tab_to(typist, typist.get_by_label("Language"))
    typist.keyboard.type("Deutsch")
    expect(typist.locator("#setting-language")).to_have_value("de")
    expect(typist.locator("html")).to_have_attribute("lang", "de")
