"""Test the settings: stored in the browser, shared by its tabs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import enter_name, join_as, message_texts, messages, send, user_names


@pytest.fixture
def ann(visit, room) -> Page:
    page = visit(room)
    join_as(page, "Ann Sets")
    return page


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("button", name="Settings").click()
    page.get_by_label(label, exact=True).select_option(label=option)
    page.locator("#settings .dialog-foot button").click()  # its text changes with the language


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")


def test_theme_is_chosen_and_stored(ann):
    seen = {background(ann)}
    for option, theme in (("Dark", "dark"), ("High contrast", "contrast"), ("Light", "light")):
        choose(ann, "Colours", option)
        expect(ann.locator("html")).to_have_attribute("data-theme", theme)
        seen.add(background(ann))
    assert len(seen) == 3
    choose(ann, "Colours", "Dark")
    dark = background(ann)
    ann.reload()
    assert background(ann) == dark
    assert ann.evaluate("Object.keys(localStorage).every((key) => key.startsWith('chat.'))")


def test_theme_follows_the_device_by_default(ann):
    light = background(ann)
    ann.emulate_media(color_scheme="dark")
    assert background(ann) != light


def test_text_size_and_spacing_are_chosen(ann):
    send(ann, "one")
    send(ann, "two")
    expect(messages(ann)).to_have_count(2)
    size = "parseFloat(getComputedStyle(document.querySelector('.text')).fontSize)"
    height = messages(ann).last.bounding_box()["height"]
    before = ann.evaluate(size)
    choose(ann, "Text size", "Very large")
    assert ann.evaluate(size) > 1.3 * before
    choose(ann, "Text size", "Normal")
    ann.get_by_role("button", name="Settings").click()
    ann.get_by_label("Compact").check()
    assert messages(ann).last.bounding_box()["height"] < height


def test_clock_has_12_or_24_hours(visit, room):
    ann = visit(room, locale="en-US", timezone_id="UTC")
    enter_name(ann, "Ann Clock")
    send(ann, "now")
    time = messages(ann).last.locator("time")
    expect(time).to_have_text(re.compile(r"^\d\d:\d\d [AP]M$"))
    choose(ann, "Clock", "24 hours")
    expect(time).to_have_text(re.compile(r"^\d\d:\d\d$"))
    expect(time).to_have_attribute("title", re.compile(r"\w+day, \w+ \d+, \d{4} at \d\d:\d\d:\d\d"))


def test_page_uses_the_browsers_language(visit, url):
    heads = set()
    for locale in ("de-AT", "es", "fr-CA", "ja", "ar-EG"):
        page = visit(url, locale=locale)
        code = locale.partition("-")[0]
        expect(page.locator("html")).to_have_attribute("lang", code)
        expect(page.locator("html")).to_have_attribute("dir", "rtl" if code == "ar" else "ltr")
        heads.add(page.locator("#start h1").inner_text())
    dutch = visit(url, locale="nl")
    heads.add(dutch.locator("#start h1").inner_text())
    assert len(heads) == 6
    assert "Talk with anyone who has the link" in heads


def test_chosen_language_applies_at_once(visit, ann, room):
    enter_name(visit(room), "عمر")
    send(ann, "שלום and hello")
    choose(ann, "Language", "العربية")
    expect(ann.locator("html")).to_have_attribute("dir", "rtl")
    expect(ann.locator("#people-title")).not_to_contain_text("people")
    expect(ann.locator(".day")).to_have_text("اليوم")
    assert ann.evaluate("document.documentElement.scrollWidth") <= 1280
    rooms, people = (ann.locator(place).bounding_box()["x"] for place in ("#rooms", "#people"))
    assert rooms > people
    expect(user_names(ann)).to_have_count(2)
    ann.reload()
    expect(ann.locator("html")).to_have_attribute("lang", "ar")
    expect(message_texts(ann)).to_have_text(["שלום and hello"])


def test_tabs_share_settings(ann):
    other = ann.context.new_page()
    other.goto(ann.url)
    other.wait_for_selector("body.is-ready")
    choose(ann, "Colours", "High contrast")
    expect(other.locator("html")).to_have_attribute("data-theme", "contrast")


def test_ignored_users_are_not_shown_or_counted(visit, ann, room):
    bo = visit(room)
    enter_name(bo, "Bo Ignored")
    send(bo, "before")
    expect(message_texts(ann)).to_have_text(["before"])
    ann.get_by_role("button", name=re.compile("^Ignore .*Bo Ignored")).click()
    expect(message_texts(ann)).to_have_count(0)
    send(bo, "after, @ann sets")
    ann.locator('#room-list a[data-room="lobby"]').click()
    send(bo, "unseen")
    expect(ann).to_have_title("Lobby · Chat")
    ann.go_back()
    ann.get_by_role("button", name="Settings").click()
    ann.locator("#settings").get_by_role("button", name=re.compile("Bo Ignored")).click()
    expect(message_texts(ann)).to_have_text(["before", "after, @ann sets", "unseen"])
