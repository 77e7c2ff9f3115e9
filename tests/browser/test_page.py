"""The page, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from serving import UNLIMITED, Server, launch


@pytest.fixture
def url(server):
    return server.url


def enter(page, name: str) -> None:
    page.get_by_placeholder("Enter your name!").fill(name)
    page.get_by_role("button", name="Let me chat!").click()


def say(page, message: str) -> None:
    page.locator("#message").fill(message)
    page.get_by_role("button", name="Send").click()


def test_two_windows_chat(visit, url):
    ann, bo = visit(url), visit(url)
    enter(ann, "Ann")
    expect(ann.locator("#message")).to_be_visible()
    enter(bo, "ann")
    expect(bo.locator("#error-container")).to_have_text(
        "ann username is taken! Try some other username."
    )
    enter(bo, "Bo")
    expect(bo.locator("#error-container")).to_be_empty()
    expect(ann.locator("#people-count")).to_have_text("2 people here")
    say(ann, "Hello")
    bo.locator("#message").fill("Hi\nthere")
    bo.locator("#message").press("Enter")
    for page in (ann, bo):
        items = page.locator("#message-container li")
        expect(items.nth(-2)).to_contain_text(re.compile(r"Ann \d.*Hello", re.S))
        expect(items.last).to_contain_text("Bo")
        expect(items.last.locator("p")).to_have_text("Hi\nthere", use_inner_text=True)
        expect(items.last.locator("time")).to_have_attribute("datetime", re.compile("Z$"))
    expect(bo.locator("#message")).to_be_empty()
    bo.close()
    expect(ann.locator("#people-count")).to_have_text("1 person here")


def test_text_is_never_markup(visit, url):
    ann = visit(url)
    evil = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"
    enter(ann, "<i>Eve</i>")
    say(ann, evil)
    item = ann.locator("#message-container li").last
    expect(item.locator("p")).to_have_text(evil)
    expect(item.locator("b")).to_have_text("<i>Eve</i>")
    assert item.locator("img, script, i").count() == 0
    assert ann.title() == "Chat"


def test_errors_come_in_words(visit, url):
    ann = visit(url)
    enter(ann, "a\u200bb")
    expect(ann.locator("#error-container")).to_contain_text("U+200B")
    enter(ann, "Ann")
    say(ann, "x" * 4001)
    expect(ann.locator("#error-container")).to_contain_text("4001 characters; 4000 are allowed")
    expect(ann.locator("#message")).to_have_value("x" * 4001)
    say(ann, "shorter")
    expect(ann.locator("#error-container")).to_be_empty()
    expect(ann.locator("#message-container li").last).to_contain_text("shorter")


def test_who_comes_later_sees_what_was_said(visit, serve):
    url = serve("gunicorn", **UNLIMITED, TITLE="Later").url
    ann = visit(url)
    enter(ann, "Ann")
    for n in range(3):
        say(ann, f"message {n}")
        expect(ann.locator("#message-container li")).to_have_count(n + 1)
    bo = visit(url)
    enter(bo, "Bo")
    expect(bo.locator("#message-container li p")).to_have_text([f"message {n}" for n in range(3)])
    assert bo.title() == "Later"


def test_the_name_is_taken_again_after_a_reconnect(visit, tmp_path):
    server = Server("command", tmp_path, UNLIMITED)
    try:
        ann = visit(server.url)
        enter(ann, "Ann")
        say(ann, "before")
        expect(ann.locator("#message-container li")).to_have_count(1)
        ann.locator("#message").fill("a draft")
        assert server.stop() == 0
        expect(ann.locator("#connection")).not_to_have_text("Connected")
        expect(ann.get_by_role("button", name="Send")).to_be_disabled()
        server.process = launch("command", server.log, server.port, UNLIMITED)
        expect(ann.locator("#connection")).to_have_text("Connected", timeout=20000)
        # Memory is gone: another epoch, so what was shown is no more.
        expect(ann.locator("#message-container li")).to_have_count(0)
        expect(ann.locator("#message")).to_have_value("a draft")
        ann.get_by_role("button", name="Send").click()
        expect(ann.locator("#message-container li")).to_contain_text("Ann")
    finally:
        server.stop()


def test_a_name_lost_meanwhile_is_asked_for_again(visit, tmp_path):
    server = Server("command", tmp_path, UNLIMITED)
    try:
        ann = visit(server.url)
        enter(ann, "Ann")
        expect(ann.locator("#chat")).to_be_visible()
        assert server.stop() == 0
        expect(ann.locator("#connection")).not_to_have_text("Connected")
        ann.context.set_offline(True)
        server.process = launch("command", server.log, server.port, UNLIMITED)
        while not server.answers():
            pass
        bo = visit(server.url)
        enter(bo, "Ann")
        expect(bo.locator("#chat")).to_be_visible()
        ann.context.set_offline(False)
        expect(ann.locator("#error-container")).to_contain_text("is taken", timeout=20000)
        enter(ann, "Anna")
        expect(ann.locator("#name-form")).to_be_hidden()
    finally:
        server.stop()


def test_a_narrow_window_shows_all(visit, url):
    page = visit(url, viewport={"width": 320, "height": 500})
    enter(page, "Narrow")
    say(page, "w" * 200)
    expect(page.locator("#message-container li").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()
