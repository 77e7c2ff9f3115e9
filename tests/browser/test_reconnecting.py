"""The connection breaks, the server dies, the page is loaded again: nothing is lost or doubled."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import (
    enter,
    is_connected,
    is_cut_off,
    messages,
    names_here,
    say,
    texts,
    unsent,
)
from support.servers import KINDS, UNLIMITED, Server, start_process


@pytest.fixture
def server(tmp_path):
    server = Server("command", tmp_path, UNLIMITED)
    yield server
    server.stop()


def start_again(server: Server, settings: dict[str, str] = UNLIMITED) -> None:
    server.process = start_process("command", server.log, server.port, settings)
    while not server.is_ready():
        pass


def test_the_conversation_goes_on_when_the_server_was_killed(visit, server):
    ann, bo = visit(server.url + "/r/tea"), visit(server.url + "/r/tea")
    enter(ann, "Ann")
    enter(bo, "Bo")
    say(ann, "before")
    expect(texts(bo)).to_have_text(["before"])
    expect(unsent(ann)).to_have_count(0)
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    is_cut_off(ann)
    expect(ann.locator("#connection")).to_contain_text(re.compile(r"Reconnecting in \d+ s"))
    ann.locator("#message").fill("a draft")
    for n in range(3):
        say(bo, f"meanwhile {n}")
    expect(unsent(bo)).to_have_count(3)
    expect(unsent(bo).first).to_contain_text("Waiting for the connection…")
    start_again(server)
    said = ["before", "meanwhile 0", "meanwhile 1", "meanwhile 2"]
    for person in (ann, bo):
        expect(texts(person)).to_have_text(said, timeout=20000)
        expect(names_here(person)).to_have_text(["Ann", "Bo"])
    expect(unsent(bo)).to_have_count(0)
    expect(ann.locator("#message")).to_have_value("a draft")


def test_a_reload_keeps_the_name_the_draft_and_what_was_not_sent(visit, server):
    ann, bo = visit(server.url + "/r/tea"), visit(server.url + "/r/tea")
    enter(ann, "Ann")
    enter(bo, "Bo")
    expect(names_here(ann)).to_have_text(["Ann", "Bo"])
    assert server.stop() == 0
    is_cut_off(ann)
    say(ann, "first")
    say(ann, "second")
    ann.locator("#message").fill("a draft")
    start_again(server)
    ann.reload()
    for person in (ann, bo):
        expect(texts(person)).to_have_text(["first", "second"], timeout=20000)
    expect(ann.locator("#name-form")).to_be_hidden()
    expect(ann.locator("#message")).to_have_value("a draft")
    expect(ann.locator("#message-container .own")).to_have_count(2)
    expect(names_here(bo)).to_have_text(["Ann", "Bo"])


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_cut_off_misses_nothing_and_says_nothing_twice(visit, serve, kind):
    url = serve(kind, **UNLIMITED, NAME_HOLD="0.05").url + "/r/cut-off"
    ann, bo = visit(url), visit(url)
    enter(ann, "Ann Cut")
    enter(bo, "Bo Cut")
    said: list[str] = []
    for turn in range(2):
        ann.context.set_offline(True)
        for n in range(3):
            for person, name in ((ann, "Ann"), (bo, "Bo")):
                say(person, f"{name} {turn} {n}")
        expect(messages(bo)).to_have_count(len(said) + 3, timeout=20000)
        said += [f"Bo {turn} {n}" for n in range(3)] + [f"Ann {turn} {n}" for n in range(3)]
        ann.context.set_offline(False)
        for person in (ann, bo):
            expect(messages(person)).to_have_count(len(said), timeout=30000)
    heard = [texts(person).all_inner_texts() for person in (ann, bo)]
    assert heard[0] == heard[1]
    assert sorted(heard[0]) == sorted(said)
    for name in ("Ann", "Bo"):
        own = [text for text in said if text.startswith(name)]
        assert [text for text in heard[0] if text.startswith(name)] == own


def test_a_name_lost_meanwhile_is_asked_for_again(visit, tmp_path):
    settings = {**UNLIMITED, "NAME_HOLD": "0.5"}
    server = Server("command", tmp_path, settings)
    try:
        ann = visit(server.url + "/r/tea")
        enter(ann, "Ann")
        expect(ann.locator("#message")).to_be_visible()
        assert server.stop() == 0
        is_cut_off(ann)
        ann.context.set_offline(True)
        start_again(server, settings)
        bo = visit(server.url + "/r/tea")
        is_connected(bo)
        while not bo.locator("#message").is_visible():
            enter(bo, "Ann")
            bo.wait_for_timeout(200)
        ann.context.set_offline(False)
        expect(ann.locator("#error-container")).to_contain_text("is taken", timeout=20000)
        enter(ann, "Anna")
        expect(ann.locator("#name-form")).to_be_hidden()
    finally:
        server.stop()


def second_tab(page: Page) -> Page:
    tab = page.context.new_page()
    tab.goto(page.url)
    tab.wait_for_selector("body.is-ready")
    return tab


def test_a_second_tab_takes_the_name_over_and_gives_it_back(visit, room):
    first = visit(room)
    enter(first, "Ann")
    say(first, "from the first")
    expect(texts(first)).to_have_count(1)
    second = second_tab(first)
    expect(second.get_by_placeholder("Enter your name!")).to_have_value("Ann")
    enter(second, "ANN")
    expect(second.locator("#message")).to_be_visible()
    expect(first.locator("#away")).to_be_visible()
    expect(first.locator("#away")).to_contain_text("You're chatting in another tab")
    say(second, "from the second")
    expect(texts(second)).to_have_text(["from the first", "from the second"])
    first.get_by_role("button", name="Chat here instead").click()
    expect(texts(first)).to_have_text(["from the first", "from the second"])
    expect(second.locator("#away")).to_be_visible()
    say(first, "back")
    expect(texts(first).last).to_have_text("back")


def test_a_tab_that_was_away_does_not_take_its_name_back_by_itself(visit, server):
    first = visit(server.url + "/r/tea")
    enter(first, "Ann")
    expect(first.locator("#message")).to_be_visible()
    second = second_tab(first)
    enter(second, "Ann")
    expect(first.locator("#away")).to_be_visible()
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    start_again(server)
    is_connected(second)
    first.reload()
    expect(first.locator("#away")).to_be_visible()
    expect(second.locator("#message")).to_be_visible()


def test_another_name_in_a_second_tab_is_another_person(visit, room):
    first = visit(room)
    enter(first, "Ann")
    expect(first.locator("#message")).to_be_visible()
    second = second_tab(first)
    enter(second, "Bo")
    for page in (first, second):
        expect(names_here(page)).to_have_text(["Ann", "Bo"])
    say(second, "I'm another")
    expect(texts(first)).to_have_text(["I'm another"])
    for page in (first, second):
        page.reload()
        expect(names_here(page)).to_have_text(["Ann", "Bo"])
