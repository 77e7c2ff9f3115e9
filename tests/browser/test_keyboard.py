"""All that the page can do, it does for whoever has but a keyboard; the focus is never lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from support.browser.keyboard import COPYING, come_in, focus_is_kept, press, tab_to, write
from support.browser.screens import tell
from support.browser.windows import messages, names_here, texts, unsent

# From the start page into rooms


def test_a_new_room_is_begun(visit, url):
    page = visit(url, **COPYING)
    press(page, page.locator("#start").get_by_role("button", name="Start a new room"))
    expect(page.locator("#room-title")).to_have_text(re.compile(r"^[a-z]+(-[a-z]+){4}$"))
    expect(page.locator("#name")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    come_in(page, "Ann New")
    expect(page.locator("#message")).to_be_focused()


def test_a_new_room_is_begun_by_who_has_a_name(typist):
    press(typist, typist.locator("#rooms").get_by_role("button", name="Start a new room"))
    expect(typist.locator("#room-title")).to_have_text(re.compile(r"^[a-z]+(-[a-z]+){4}$"))
    focus_is_kept(typist)


def test_a_room_is_opened_by_its_name(visit, url):
    page = visit(url)
    tab_to(page, page.locator("#open-room"))
    page.keyboard.type("no room?")
    page.keyboard.press("Enter")
    expect(page.locator("#open-room-error")).not_to_be_empty()
    expect(page.locator("#open-room")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("by-keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("#room-title")).to_have_text("by-keyboard")
    expect(page.locator("#name")).to_be_focused()


def test_the_lobby_is_gone_to(visit, url):
    page = visit(url)
    press(page, "Go to the lobby")
    expect(page.locator("#room-title")).to_have_text("Lobby")
    focus_is_kept(page)


def test_who_comes_by_a_link_can_write_a_name_at_once(visit, room):
    page = visit(room)
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("a\u200bb")
    page.keyboard.press("Enter")
    expect(page.locator("#error-container")).not_to_be_empty()
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()


def test_rooms_are_switched(typist):
    name = typist.url.split("/r/")[1]
    press(typist, typist.locator("#room-list").get_by_role("link", name="Lobby"))
    expect(typist.locator("#room-title")).to_have_text("Lobby")
    focus_is_kept(typist)
    press(typist, typist.locator("#room-list").get_by_role("link", name=name))
    expect(typist.locator("#room-title")).to_have_text(name)
    focus_is_kept(typist)


def test_a_room_is_left(typist):
    name = typist.url.split("/r/")[1]
    press(typist, "Leave this room")
    expect(typist.locator("#start")).to_be_visible()
    expect(typist.locator("#rooms").get_by_role("link", name=name)).to_have_count(0)
    focus_is_kept(typist)


@pytest.mark.parametrize("is_named", [False, True])
def test_the_skip_link_leads_to_where_one_writes(visit, room, is_named):
    page = visit(room)
    if is_named:
        come_in(page, "Ann")
    press(page, page.locator(".skip"))
    expect(page.locator("#message" if is_named else "#name")).to_be_focused()


def test_the_skip_link_of_the_start_page_leads_into_it(visit, url):
    page = visit(url)
    press(page, page.locator(".skip"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#start').contains(document.activeElement)")


# Writing


def test_enter_sends_and_shift_enter_breaks_the_line(typist):
    tab_to(typist, typist.locator("#message"))
    typist.keyboard.type("one")
    typist.keyboard.press("Shift+Enter")
    typist.keyboard.type("two")
    expect(typist.locator("#message")).to_have_value("one\ntwo")
    typist.keyboard.press("Enter")
    expect(texts(typist)).to_have_text(["one\ntwo"], use_inner_text=True)
    expect(typist.locator("#message")).to_have_value("")
    expect(typist.locator("#message")).to_be_focused()


def test_a_message_is_sent_by_its_button(typist):
    tab_to(typist, typist.locator("#message"))
    typist.keyboard.type("by the button")
    press(typist, "Send", "Space")
    expect(texts(typist)).to_have_text(["by the button"])
    expect(typist.locator("#message")).to_be_focused()


def test_tab_completes_a_name_and_then_the_next(typist, comes):
    comes("Anders", "Annika", "Bo")
    expect(names_here(typist)).to_have_count(4)
    tab_to(typist, typist.locator("#message"))
    typist.keyboard.type("hi @an")
    typist.keyboard.press("Tab")
    expect(typist.locator("#message")).to_have_value("hi @Anders ")
    typist.keyboard.press("Tab")
    expect(typist.locator("#message")).to_have_value("hi @Annika ")
    expect(typist.locator("#announcer")).to_contain_text("Annika")
    typist.keyboard.type("and")
    typist.keyboard.press("Tab")
    expect(typist.locator("#message")).not_to_be_focused()


def comes_to_write(page: Page, handle: Callable[[Route], object]) -> None:
    """Anew, so that the page asks for the table of emoji; `handle` has the request."""
    page.route("**/gemoji*", handle)
    page.reload()
    page.wait_for_selector("body.is-ready")
    tab_to(page, page.locator("#message"))


def test_tab_completes_an_emoji_once_their_table_has_come(typist):
    held: list = []
    with typist.expect_request("**/gemoji*"):
        comes_to_write(typist, lambda route: held.append(route))  # noqa: PLW0108 (Playwright needs one)
    typist.keyboard.type(":rocke")
    typist.keyboard.press("Tab")
    held[0].continue_()
    expect(typist.locator("#message")).to_have_value("🚀")
    expect(typist.locator("#message")).to_be_focused()


def test_where_the_table_of_emoji_cannot_be_had_tab_goes_on(typist):
    with typist.expect_event("requestfailed"):
        comes_to_write(typist, lambda route: route.abort())
    typist.keyboard.type(":rocke")
    typist.keyboard.press("Tab")
    expect(typist.locator("#message")).not_to_be_focused()


def test_a_message_that_failed_is_tried_again_and_removed(typist):
    write(typist, "\u200b")
    expect(unsent(typist)).to_have_class(re.compile("failed"))
    press(typist, "Try again")
    expect(unsent(typist)).to_have_class(re.compile("failed"))
    focus_is_kept(typist)
    press(typist, typist.get_by_role("button", name="Remove"))
    expect(unsent(typist)).to_have_count(0)
    focus_is_kept(typist)


# People


def test_a_person_is_mentioned_ignored_and_heard_again(typist, comes, room):
    (bo,) = comes("Bo")
    people = typist.locator("#people-list")
    press(typist, people.get_by_role("button", name=re.compile(r"^(Mention )?\W*Bo\W*$")))
    expect(typist.locator("#message")).to_be_focused()
    expect(typist.locator("#message")).to_have_value("@Bo ")
    tell(bo, room, "something")
    expect(texts(typist)).to_have_text(["something"])
    press(typist, people.get_by_role("button", name=re.compile("Ignore")))
    expect(texts(typist)).to_have_count(0)
    focus_is_kept(typist)
    press(typist, people.get_by_role("button", name=re.compile("Don't ignore")))
    expect(texts(typist)).to_have_text(["something"])
    focus_is_kept(typist)


def test_the_sender_of_a_message_is_mentioned(typist, comes, room):
    tell(comes("Bo")[0], room, "something")
    press(typist, messages(typist).get_by_role("button", name=re.compile("Bo")))
    expect(typist.locator("#message")).to_be_focused()
    expect(typist.locator("#message")).to_have_value("@Bo ")


def test_who_is_ignored_is_heard_again_by_the_settings(typist, comes):
    comes("Bo", "Cy")
    for name in ("Bo", "Cy"):
        press(
            typist,
            typist.locator("#people-list").get_by_role("button", name=f"Ignore \u2068{name}"),
        )
    press(typist, "Settings")
    press(typist, typist.locator("#settings").get_by_role("button", name=re.compile("Bo")))
    expect(typist.locator("#settings li")).to_have_count(1)
    focus_is_kept(typist)
    press(typist, typist.locator("#settings").get_by_role("button", name=re.compile("Cy")))
    expect(typist.locator("#settings li")).to_have_count(0)
    focus_is_kept(typist)


def test_one_takes_another_name(typist):
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


def test_a_room_is_muted_and_not(typist):
    mute = typist.locator("#mute")
    press(typist, "Mute this room", "Space")
    expect(mute).to_have_attribute("aria-pressed", "true")
    expect(mute).to_be_focused()
    typist.keyboard.press("Space")
    expect(mute).to_have_attribute("aria-pressed", "false")


def test_the_link_is_copied_and_what_is_said_of_it_put_away(typist):
    press(typist, "Copy link")
    expect(typist.locator(".trouble")).to_contain_text("copied")
    assert typist.evaluate("navigator.clipboard.readText()") == typist.url
    expect(typist.locator("#copy-link")).to_be_focused()
    press(typist, "Dismiss")
    expect(typist.locator(".trouble")).to_have_count(0)
    focus_is_kept(typist)


def test_the_settings_are_changed(typist):
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


def test_a_language_is_chosen_by_writing_its_name(typist):
    press(typist, typist.locator("#show-settings"))
    tab_to(typist, typist.get_by_label("Language"))
    typist.keyboard.type("Deutsch")
    expect(typist.locator("#setting-language")).to_have_value("de")
    expect(typist.locator("html")).to_have_attribute("lang", "de")
