"""Test what the page announces to screen readers (WCAG 2.2, 4.1.3)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser.screens import (
    apply_settings,
    send_as,
)
from support.browser.windows import (
    delay_reconnection,
    enter_name,
    message_texts,
    send,
    unsent_messages,
    user_names,
)


def listen(page: Page, selector: str = "#announcer") -> None:
    """Record the texts of the live regions from now on, with their times."""
    page.evaluate(
        """selector => {
            window.said = [];
            for (const observer of window.observers ?? []) observer.disconnect();
            window.observers = [];
            for (const region of document.querySelectorAll(selector)) {
                let last = region.textContent;
                const observer = new MutationObserver(() => {
                    const words = region.textContent.replace(/[\\u2068\\u2069]/g, "");
                    const isNew = words.trim() && region.textContent !== last;
                    if (isNew) said.push({words, at: performance.now()});
                    last = region.textContent;
                });
                observer.observe(region, {childList: true, characterData: true, subtree: true});
                observers.push(observer);
            }
        }""",
        selector,
    )


def announced(page: Page) -> list[str]:
    return [each["words"] for each in page.evaluate("said")]


def has_announced(page: Page, words: str) -> None:
    page.wait_for_function(
        "words => said.some((each) => each.words.includes(words))", arg=words, timeout=15000
    )


LIVE = "[aria-live]:not([aria-live=off]), :is([role=alert], [role=status]):not([aria-live])"


@pytest.fixture
def listener(visit_still, join, room):
    """Return the page of Ann, with her announcements recorded, and the client of Bo."""
    bo = join(room, "Bo")
    page = visit_still(room)
    enter_name(page, "Ann")
    expect(user_names(page)).to_have_text(["Ann", "Bo"])
    listen(page)
    return page, bo


def test_single_message_is_announced_with_its_sender(listener, room):
    page, bo = listener
    expect(page.locator("#message-container")).to_have_attribute("aria-live", "off")
    send_as(bo, room, "Good morning")
    has_announced(page, "Good morning")
    assert announced(page) == ["Bo: Good morning"]


def test_flood_of_messages_is_announced_in_few_texts(listener, room):
    page, bo = listener
    for n in range(30):
        bo.emit("msg", {"room": room.split("/r/")[1], "message": f"flood {n}"})
    page.wait_for_function(
        """() => {
            const many = /^(\\d+) new messages from Bo$/;
            const counts = said.map(({words}) => Number(many.exec(words)?.[1] ?? 1));
            return counts.reduce((sum, count) => sum + count, 0) === 30;
        }""",
        timeout=20000,
    )
    times = [each["at"] for each in page.evaluate("said")]
    assert max(sum(1 for other in times if 0 <= other - at < 5000) for at in times) <= 3
    assert any(re.search(r"\d+ new messages from Bo", words) for words in announced(page))


def test_own_messages_are_not_announced(listener, room):
    page, bo = listener
    send(page, "my own words")
    expect(message_texts(page)).to_have_text(["my own words"])
    send_as(bo, room, "and Bo's")
    has_announced(page, "and Bo's")
    assert announced(page) == ["Bo: and Bo's"]


def test_messages_of_ignored_users_are_not_announced(listener, join, room):
    page, bo = listener
    cy = join(room, "Cy")
    apply_settings(page, ignored=["Bo"])
    send_as(bo, room, "from Bo")
    send_as(cy, room, "from another")
    has_announced(page, "Cy")
    assert announced(page) == ["Cy: from another"]


def test_history_and_older_pages_are_not_announced(visit_still, join, room):
    bo = join(room, "Bo")
    send_as(bo, room, *(f"old {n}" for n in range(120)))
    page = visit_still(room)
    listen(page)
    enter_name(page, "Ann")
    expect(message_texts(page).last).to_have_text("old 119")
    oldest = message_texts(page).filter(has_text=re.compile("^old 0$"))
    for _ in range(200):  # scroll up as a user does, as older pages load
        if oldest.count():
            break
        page.locator("#message-container").evaluate("list => list.scrollTo(0, 0)")
        page.wait_for_timeout(50)
    expect(oldest).to_have_count(1)
    send_as(bo, room, "now")
    has_announced(page, "now")
    assert announced(page) == ["Bo: now"]


def test_lost_connection_is_announced_without_the_countdown(listener):
    page, _ = listener
    listen(page, LIVE)
    delay_reconnection(page, seconds=3)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("Reconnecting in 3 s", timeout=20000)
    expect(page.locator("#connection")).to_contain_text("Reconnecting in 1 s", timeout=20000)
    lost = announced(page)
    assert 1 <= len(lost) <= 2, lost
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_contain_text("Connected", timeout=20000)
    has_announced(page, "Connected")


def test_failed_message_is_announced(listener):
    page, _ = listener
    listen(page, LIVE)
    send(page, "\u200b")
    expect(unsent_messages(page)).to_contain_text("Not sent")
    has_announced(page, "Not sent")


def test_too_long_message_is_announced_once(listener):
    page, _ = listener
    listen(page, LIVE)
    page.locator("#message").fill("x" * 4001)
    expect(page.locator("#message-counter")).to_have_text("1 character too many")
    has_announced(page, "too many")
    page.locator("#message").press_sequentially("xxx")
    expect(page.locator("#message-counter")).to_have_text("4 characters too many")
    assert len(announced(page)) == 1
