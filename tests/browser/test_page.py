"""The page, in a real browser."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import expect
from serving import KINDS, UNLIMITED, Server, launch


@pytest.fixture(params=KINDS)
def url(request, serve):
    return serve(request.param, **UNLIMITED, NAME_HOLD="0.05").url


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


def test_the_conversation_goes_on_when_the_server_was_killed(visit, tmp_path):
    server = Server("command", tmp_path, UNLIMITED)
    try:
        ann, bo = visit(server.url), visit(server.url)
        enter(ann, "Ann")
        enter(bo, "Bo")
        say(ann, "before")
        expect(bo.locator("#message-container li p")).to_have_text(["before"])
        expect(ann.locator("#unsent-container li")).to_have_count(0)
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
        expect(ann.locator("#connection")).not_to_have_text("Connected")
        ann.locator("#message").fill("a draft")
        for n in range(3):
            say(bo, f"meanwhile {n}")
        expect(bo.locator("#unsent-container li")).to_have_count(3)
        server.process = launch("command", server.log, server.port, UNLIMITED)
        said = ["before", "meanwhile 0", "meanwhile 1", "meanwhile 2"]
        for person in (ann, bo):
            expect(person.locator("#message-container li p")).to_have_text(said, timeout=20000)
            expect(person.locator("#people-list li")).to_have_text(["Ann", "Bo"])
        expect(bo.locator("#unsent-container li")).to_have_count(0)
        expect(ann.locator("#message")).to_have_value("a draft")
    finally:
        server.stop()


def test_a_reload_keeps_the_name_and_what_was_not_sent(visit, tmp_path):
    server = Server("command", tmp_path, UNLIMITED)
    try:
        ann, bo = visit(server.url), visit(server.url)
        enter(ann, "Ann")
        enter(bo, "Bo")
        assert server.stop() == 0
        expect(ann.locator("#connection")).not_to_have_text("Connected")
        say(ann, "first")
        say(ann, "second")
        server.process = launch("command", server.log, server.port, UNLIMITED)
        while not server.answers():
            pass
        ann.reload()
        for person in (ann, bo):
            expect(person.locator("#message-container li p")).to_have_text(
                ["first", "second"], timeout=20000
            )
        expect(ann.locator("#name-form")).to_be_hidden()
        expect(ann.locator("#message-container .own")).to_have_count(2)
        expect(bo.locator("#people-list li")).to_have_text(["Ann", "Bo"])
    finally:
        server.stop()


def test_who_was_cut_off_misses_nothing_and_says_nothing_twice(visit, url):
    ann, bo = visit(url + "/r/cut-off"), visit(url + "/r/cut-off")
    enter(ann, "Ann Cut")
    enter(bo, "Bo Cut")
    said = []
    for turn in range(2):
        ann.context.set_offline(True)
        for n in range(3):
            for person, name in ((ann, "Ann"), (bo, "Bo")):
                say(person, f"{name} {turn} {n}")
        expect(bo.locator("#message-container li")).to_have_count(len(said) + 3, timeout=20000)
        said += [f"Bo {turn} {n}" for n in range(3)] + [f"Ann {turn} {n}" for n in range(3)]
        ann.context.set_offline(False)
        for person in (ann, bo):
            expect(person.locator("#message-container li")).to_have_count(len(said), timeout=30000)
    texts = [person.locator("#message-container li p").all_inner_texts() for person in (ann, bo)]
    assert texts[0] == texts[1]
    assert sorted(texts[0]) == sorted(said)
    for name in ("Ann", "Bo"):
        own = [text for text in said if text.startswith(name)]
        assert [text for text in texts[0] if text.startswith(name)] == own


def test_a_room_by_its_address(visit, url):
    ann, bo, cy = visit(url + "/r/Tea"), visit(url + "/r/tea"), visit(url + "/")
    assert ann.url == url + "/r/tea"
    for person, name in ((ann, "Ann Tea"), (bo, "Bo Tea"), (cy, "Cy Lobby")):
        enter(person, name)
    say(ann, "in the room")
    expect(bo.locator("#message-container li p")).to_have_text(["in the room"])
    expect(bo.locator("#people-list li")).to_have_text(["Ann Tea", "Bo Tea"])
    say(cy, "in the lobby")
    expect(cy.locator("#message-container li p").last).to_have_text("in the lobby")
    expect(cy.locator("#message-container", has_text="in the room")).to_have_count(0)
    expect(ann.locator("#message-container li")).to_have_count(1)
    expect(ann.locator("h1")).to_contain_text("tea")


def test_a_name_lost_meanwhile_is_asked_for_again(visit, tmp_path):
    settings = {**UNLIMITED, "NAME_HOLD": "0.5"}
    server = Server("command", tmp_path, settings)
    try:
        ann = visit(server.url)
        enter(ann, "Ann")
        expect(ann.locator("#chat")).to_be_visible()
        assert server.stop() == 0
        expect(ann.locator("#connection")).not_to_have_text("Connected")
        ann.context.set_offline(True)
        server.process = launch("command", server.log, server.port, settings)
        while not server.answers():
            pass
        bo = visit(server.url)
        while not bo.locator("#chat").is_visible():
            enter(bo, "Ann")
            bo.wait_for_timeout(200)
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
