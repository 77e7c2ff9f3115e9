"""Test the composer: keys, drafts, long and failed messages, completion."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import (
    enter_name,
    join_as,
    message_texts,
    messages,
    send,
    unsent_messages,
    user_names,
)


@pytest.fixture
def ann(visit, room) -> Page:
    page = visit(room)
    join_as(page, "Ann Writes")
    return page


def test_enter_sends_and_shift_enter_breaks_the_line(ann):
    box = ann.locator("#message")
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    expect(message_texts(ann)).to_have_text(["one\ntwo"], use_inner_text=True)
    expect(box).to_be_empty()
    expect(box).to_be_focused()
    box.press_sequentially("   ")
    box.press("Enter")
    expect(unsent_messages(ann)).to_have_count(0)
    expect(messages(ann)).to_have_count(1)


def test_acknowledged_message_is_marked_as_sent(ann):
    send(ann, "hello")
    expect(messages(ann).last.locator(".sent")).to_be_visible()
    expect(unsent_messages(ann)).to_have_count(0)


def test_too_long_message_is_flagged_before_it_is_sent(ann):
    box, counter = ann.locator("#message"), ann.locator("#message-counter")
    box.fill("x" * 3990)
    expect(counter).to_have_text("10 characters left")
    box.fill("x" * 3999 + "🙂🙂")
    expect(counter).to_have_text("1 character too many")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(ann.get_by_role("button", name="Send")).to_be_disabled()
    box.press("Enter")
    expect(box).to_have_value("x" * 3999 + "🙂🙂")
    box.fill("x" * 3999 + "🙂")
    box.press("Enter")
    expect(messages(ann)).to_have_count(1)


def test_refused_message_can_be_retried_or_removed(ann):
    page = ann
    page.locator("#message").fill("\u200b")
    page.locator("#message").press("Enter")
    failed = unsent_messages(page)
    expect(failed).to_contain_text("Not sent: ")
    expect(failed).to_contain_text("nothing in it that can be seen")
    send(page, "fine")
    expect(message_texts(page)).to_have_text(["fine"])
    failed.get_by_role("button", name="Try again").click()
    expect(failed).to_contain_text("Not sent: ")
    failed.get_by_role("button", name="Remove").click()
    expect(failed).to_have_count(0)
    page.reload()
    expect(message_texts(page)).to_have_text(["fine"])
    expect(unsent_messages(page)).to_have_count(0)


def test_messages_over_the_rate_are_sent_when_the_rate_allows(visit, serve):
    url = serve("gunicorn", MESSAGE_LIMIT="2/1", NAME_LIMIT="", EVENT_LIMIT="").url
    page = visit(url + "/r/quickly")
    enter_name(page, "Ann Quick")
    expect(page.locator("#message")).to_be_visible()
    for n in range(5):
        send(page, f"{n}")
    expect(message_texts(page)).to_have_text([f"{n}" for n in range(5)], timeout=15000)
    expect(unsent_messages(page)).to_have_count(0)


def test_draft_belongs_to_its_room(visit, ann, room):
    ann.locator("#message").fill("for this room")
    ann.locator('#room-list a[data-room="lobby"]').click()
    expect(ann.locator("#message")).to_have_value("")
    ann.go_back()
    expect(ann.locator("#message")).to_have_value("for this room")


def test_tab_completes_a_name(visit, ann, room):
    for name in ("Anton", "Antje Öl", "Bo"):
        enter_name(visit(room), name)
    expect(user_names(ann)).to_have_count(4)
    box = ann.locator("#message")
    box.press_sequentially("Hi @an")
    box.press("Tab")
    expect(box).to_have_value("Hi @Antje Öl ")
    expect(ann.locator("#announcer")).to_have_text("@Antje Öl")
    box.press("Tab")
    expect(box).to_have_value("Hi @Anton ")
    box.press_sequentially("and @öl")
    box.press("Tab")
    expect(box).to_have_value("Hi @Anton and @Antje Öl ")
    box.press("Enter")
    expect(message_texts(ann)).to_have_text(["Hi @Anton and @Antje Öl "])
    box.press("Tab")
    expect(box).not_to_be_focused()


def test_shortcodes_become_emoji(ann):
    box = ann.locator("#message")
    box.press_sequentially("nice :thumbsup:")
    expect(box).to_have_value("nice 👍")
    box.press_sequentially(" :sweat_smi")
    box.press("Tab")
    expect(box).to_have_value("nice 👍 😅")
    box.press_sequentially(" 10:30:45 http://a:b:")
    expect(box).to_have_value("nice 👍 😅 10:30:45 http://a:b:")
    box.fill("pasted :tada: and `:tada:`, :rocket:!")
    box.press("Enter")
    expect(message_texts(ann)).to_have_text(["pasted 🎉 and :tada:, 🚀!"])


def test_click_on_a_name_mentions_it(visit, ann, room):
    bo = visit(room)
    enter_name(bo, "Bo Clicked")
    send(bo, "hi")
    messages(ann).last.get_by_role("button", name=re.compile("Bo Clicked")).click()
    ann.keyboard.type("hello")
    ann.keyboard.press("Enter")
    expect(message_texts(bo).last).to_have_text("@Bo Clicked hello")
    expect(messages(bo).last.locator("mark")).to_have_text("@Bo Clicked")
    ann.locator("#people-list").get_by_title(re.compile("Mention.*Bo Clicked")).click()
    expect(ann.locator("#message")).to_have_value("@Bo Clicked ")


def test_tap_on_a_name_in_a_phones_drawer_mentions_it(visit, room):
    ann = visit(room, viewport={"width": 320, "height": 600}, has_touch=True)
    enter_name(ann, "Ann Taps")
    bo = visit(room)
    enter_name(bo, "Bo Tapped")
    ann.locator("#show-people").tap()
    ann.locator("#people-list").get_by_title(re.compile("Mention.*Bo Tapped")).tap()
    expect(ann.locator("#people")).not_to_have_class(re.compile("is-open"))
    ann.keyboard.type("hello")
    ann.get_by_role("button", name="Send").tap()
    expect(message_texts(bo)).to_have_text(["@Bo Tapped hello"])


def test_mention_in_right_to_left_text_stays_whole(ann):
    send(ann, "مرحبا @Ann Writes! 123 😄 https://example.org/a")
    mark = messages(ann).last.locator("mark")
    expect(mark).to_have_text("@Ann Writes")
    assert mark.evaluate("(mark) => getComputedStyle(mark).unicodeBidi") == "plaintext"
    assert mark.evaluate("(mark) => mark.getClientRects().length") == 1
