"""Test the counts in the title and on the icon, the sound, and desktop notifications."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import enter_name, join_as, send, user_names

RECORD_CALLS = """
window.called = [];
window.Notification = class {
  static permission = "default";
  static requestPermission() {
    window.called.push("asked");
    Notification.permission = "granted";
    return Promise.resolve("granted");
  }
  constructor(title, { body }) { window.called.push(`${title}: ${body}`); }
  close() {}
};
OscillatorNode.prototype.start = function () { window.called.push("sound"); };
OscillatorNode.prototype.stop = function () {};
Object.defineProperty(document, "hidden", { get: () => window.isAway === true });
window.leave = (isAway) => {
  window.isAway = isAway;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""


@pytest.fixture
def ann(browser, room):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(RECORD_CALLS)
    page.goto(room)
    page.wait_for_selector("body.is-ready")
    join_as(page, "Ann Called")
    yield page
    context.close()


@pytest.fixture
def bo(visit, room, ann) -> Page:
    page = visit(room)
    enter_name(page, "Bo")
    expect(user_names(ann)).to_have_count(2)
    return page


def switch_on(page: Page, *labels: str) -> None:
    page.get_by_role("button", name="Settings").click()
    for label in labels:
        page.get_by_label(label).check()
    page.locator("#settings").get_by_role("button", name="Close").click()


def called(page: Page) -> list[str]:
    """Return the calls since the last time, without direction marks."""
    calls = page.evaluate("window.called.splice(0)")
    return [call.replace("\u2068", "").replace("\u2069", "") for call in calls]


def send_while_hidden(bo: Page, ann: Page, *said: str) -> None:
    ann.evaluate("window.leave(true)")
    for text in said:
        send(bo, text)
    expect(ann.locator("#message-container", has_text=said[-1])).to_be_visible()
    ann.evaluate("window.leave(false)")


def test_permission_is_asked_only_when_notifications_are_switched_on(ann, bo):
    send_while_hidden(bo, ann, "hello")
    assert called(ann) == []
    switch_on(ann, "With a desktop notice")
    assert called(ann) == ["asked"]


def test_unseen_message_is_notified_with_a_sound(ann, bo, room):
    switch_on(ann, "With a desktop notice", "With a sound")
    called(ann)
    send(bo, "seen")
    expect(ann.locator("#message-container", has_text="seen")).to_be_visible()
    assert called(ann) == []
    send_while_hidden(bo, ann, "unseen")
    assert called(ann) == ["sound", f"Bo in {room.rpartition('/')[2]}: unseen"]
    ann.get_by_role("button", name="Mute this room").click()
    send_while_hidden(bo, ann, "muted")
    assert called(ann) == []


def test_only_mentions_are_notified_if_chosen(ann, bo, room):
    switch_on(ann, "With a desktop notice", "Only when I am mentioned")
    called(ann)
    send_while_hidden(bo, ann, "for all", "for you, @ann called")
    assert called(ann) == [f"Bo in {room.rpartition('/')[2]}: for you, @ann called"]


def test_refused_notification_loses_no_message(ann, bo, room):
    switch_on(ann, "With a desktop notice")
    ann.evaluate("void (Notification = class extends Notification { constructor() { throw 0; } })")
    ann.evaluate("window.leave(true)")
    send(bo, "one")
    send(bo, "two")
    expect(ann).to_have_title(re.compile(r"^\(2\) "))
    expect(ann.locator("#troubles")).to_be_empty()
