"""A screen reader is told what comes, in few words (WCAG 2.2, 4.1.3)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser.screens import (
    dress,
    tell,
)
from support.browser.windows import enter, names_here, say, texts, unsent


def listen(page: Page, selector: str = "#announcer") -> None:
    """Note from now on what the live regions say, and when."""
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
def listener(shows, join, room):
    """Ann at her window, listening, and Bo."""
    bo = join(room, "Bo")
    page = shows(room)
    enter(page, "Ann")
    expect(names_here(page)).to_have_text(["Ann", "Bo"])
    listen(page)
    return page, bo


def test_a_message_alone_is_announced_with_its_sender(listener, room):
    page, bo = listener
    tell(bo, room, "Good morning")
    has_announced(page, "Good morning")
    assert announced(page) == ["Bo: Good morning"]


def test_a_flood_of_messages_is_announced_in_a_few_words(listener, room):
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
    say(page, "my own words")
    expect(texts(page)).to_have_text(["my own words"])
    tell(bo, room, "and Bo's")
    has_announced(page, "and Bo's")
    assert announced(page) == ["Bo: and Bo's"]


def test_what_ignored_people_write_is_not_announced(listener, join, room):
    page, bo = listener
    cy = join(room, "Cy")
    dress(page, ignored=["Bo"])
    tell(bo, room, "from Bo")
    tell(cy, room, "from another")
    has_announced(page, "Cy")
    assert announced(page) == ["Cy: from another"]


def test_history_and_older_pages_are_not_announced(shows, join, room):
    bo = join(room, "Bo")
    tell(bo, room, *(f"old {n}" for n in range(120)))
    page = shows(room)
    listen(page)
    enter(page, "Ann")
    expect(texts(page).last).to_have_text("old 119")
    oldest = texts(page).filter(has_text=re.compile("^old 0$"))
    for _ in range(200):  # as a reader does: more comes above what is in view
        if oldest.count():
            break
        page.locator("#message-container").evaluate("list => list.scrollTo(0, 0)")
        page.wait_for_timeout(50)
    expect(oldest).to_have_count(1)
    tell(bo, room, "now")
    has_announced(page, "now")
    assert announced(page) == ["Bo: now"]


def test_the_list_of_messages_says_nothing_by_itself(listener):
    page, _ = listener
    listing: Locator = page.locator("#message-container")
    expect(listing).to_have_attribute("aria-live", "off")


def test_a_lost_connection_is_announced_and_not_counted_down(listener):
    page, _ = listener
    listen(page, LIVE)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("Reconnecting in 3 s", timeout=20000)
    expect(page.locator("#connection")).to_contain_text("Reconnecting in 1 s", timeout=20000)
    lost = announced(page)
    assert 1 <= len(lost) <= 2, lost
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_contain_text("Connected", timeout=20000)
    has_announced(page, "Connected")


def test_a_message_that_was_not_sent_is_announced(listener):
    page, _ = listener
    listen(page, LIVE)
    say(page, "\u200b")
    expect(unsent(page)).to_contain_text("Not sent")
    has_announced(page, "Not sent")


def test_a_message_that_is_too_long_is_announced_once(listener):
    page, _ = listener
    listen(page, LIVE)
    page.locator("#message").fill("x" * 4001)
    expect(page.locator("#message-counter")).to_have_text("1 character too many")
    has_announced(page, "too many")
    page.locator("#message").press_sequentially("xxx")
    expect(page.locator("#message-counter")).to_have_text("4 characters too many")
    assert len(announced(page)) == 1
