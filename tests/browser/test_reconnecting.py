"""Test that lost connections, restarts and reloads neither lose nor repeat anything."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import (
    enter_name,
    message_texts,
    messages,
    send,
    unsent_messages,
    user_names,
    wait_until_connected,
    wait_until_disconnected,
)
from support.servers import KINDS, UNLIMITED, Server, start_process


@pytest.fixture
def server(tmp_path):
    server = Server("command", tmp_path, UNLIMITED)
    yield server
    server.stop()


def restart(server: Server, settings: dict[str, str] = UNLIMITED) -> None:
    server.process = start_process("command", server.log, server.port, settings)
    while not server.is_ready():
        pass


def test_conversation_continues_after_the_server_was_killed(visit, server):
    ann, bo = visit(server.url + "/r/tea"), visit(server.url + "/r/tea")
    enter_name(ann, "Ann")
    enter_name(bo, "Bo")
    send(ann, "before")
    expect(message_texts(bo)).to_have_text(["before"])
    expect(unsent_messages(ann)).to_have_count(0)
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    wait_until_disconnected(ann)
    expect(ann.locator("#connection")).to_contain_text(re.compile(r"Reconnecting in \d+ s"))
    ann.locator("#message").fill("a draft")
    for n in range(3):
        send(bo, f"meanwhile {n}")
    expect(unsent_messages(bo)).to_have_count(3)
    expect(unsent_messages(bo).first).to_contain_text("Waiting for the connection…")
    restart(server)
    said = ["before", "meanwhile 0", "meanwhile 1", "meanwhile 2"]
    for person in (ann, bo):
        expect(message_texts(person)).to_have_text(said, timeout=20000)
        expect(user_names(person)).to_have_text(["Ann", "Bo"])
    expect(unsent_messages(bo)).to_have_count(0)
    expect(ann.locator("#message")).to_have_value("a draft")


def test_reload_keeps_the_name_the_draft_and_unsent_messages(visit, server):
    ann, bo = visit(server.url + "/r/tea"), visit(server.url + "/r/tea")
    enter_name(ann, "Ann")
    enter_name(bo, "Bo")
    expect(user_names(ann)).to_have_text(["Ann", "Bo"])
    assert server.stop() == 0
    wait_until_disconnected(ann)
    send(ann, "first")
    send(ann, "second")
    ann.locator("#message").fill("a draft")
    restart(server)
    ann.reload()
    for person in (ann, bo):
        expect(message_texts(person)).to_have_text(["first", "second"], timeout=20000)
    expect(ann.locator("#name-form")).to_be_hidden()
    expect(ann.locator("#message")).to_have_value("a draft")
    expect(ann.locator("#message-container .own")).to_have_count(2)
    expect(user_names(bo)).to_have_text(["Ann", "Bo"])


@pytest.mark.parametrize("kind", KINDS)
def test_offline_user_misses_nothing_and_sends_nothing_twice(visit, serve, kind):
    url = serve(kind, **UNLIMITED, NAME_HOLD="0.05").url + "/r/cut-off"
    ann, bo = visit(url), visit(url)
    enter_name(ann, "Ann Cut")
    enter_name(bo, "Bo Cut")
    said: list[str] = []
    for turn in range(2):
        ann.context.set_offline(True)
        for n in range(3):
            for person, name in ((ann, "Ann"), (bo, "Bo")):
                send(person, f"{name} {turn} {n}")
        expect(messages(bo)).to_have_count(len(said) + 3, timeout=20000)
        said += [f"Bo {turn} {n}" for n in range(3)] + [f"Ann {turn} {n}" for n in range(3)]
        ann.context.set_offline(False)
        for person in (ann, bo):
            expect(messages(person)).to_have_count(len(said), timeout=30000)
    heard = [message_texts(person).all_inner_texts() for person in (ann, bo)]
    assert heard[0] == heard[1]
    assert sorted(heard[0]) == sorted(said)
    for name in ("Ann", "Bo"):
        own = [text for text in said if text.startswith(name)]
        assert [text for text in heard[0] if text.startswith(name)] == own


def test_name_lost_while_offline_is_asked_for_again(visit, tmp_path):
    settings = {**UNLIMITED, "NAME_HOLD": "0.5"}
    server = Server("command", tmp_path, settings)
    try:
        ann = visit(server.url + "/r/tea")
        enter_name(ann, "Ann")
        expect(ann.locator("#message")).to_be_visible()
        assert server.stop() == 0
        wait_until_disconnected(ann)
        ann.context.set_offline(True)
        restart(server, settings)
        bo = visit(server.url + "/r/tea")
        wait_until_connected(bo)
        while not bo.locator("#message").is_visible():
            enter_name(bo, "Ann")
            bo.wait_for_timeout(200)
        ann.context.set_offline(False)
        expect(ann.locator("#error-container")).to_contain_text("is taken", timeout=20000)
        enter_name(ann, "Anna")
        expect(ann.locator("#name-form")).to_be_hidden()
    finally:
        server.stop()


def second_tab(page: Page) -> Page:
    tab = page.context.new_page()
    tab.goto(page.url)
    tab.wait_for_selector("body.is-ready")
    return tab


def test_second_tab_takes_over_the_name_and_the_first_takes_it_back(visit, room):
    first = visit(room)
    enter_name(first, "Ann")
    send(first, "from the first")
    expect(message_texts(first)).to_have_count(1)
    second = second_tab(first)
    expect(second.get_by_placeholder("Enter your name!")).to_have_value("Ann")
    enter_name(second, "ANN")
    expect(second.locator("#message")).to_be_visible()
    expect(first.locator("#away")).to_be_visible()
    expect(first.locator("#away")).to_contain_text("You're chatting in another tab")
    send(second, "from the second")
    expect(message_texts(second)).to_have_text(["from the first", "from the second"])
    first.get_by_role("button", name="Chat here instead").click()
    expect(message_texts(first)).to_have_text(["from the first", "from the second"])
    expect(second.locator("#away")).to_be_visible()
    send(first, "back")
    expect(message_texts(first).last).to_have_text("back")


def test_tab_that_was_away_does_not_take_the_name_back_by_itself(visit, server):
    first = visit(server.url + "/r/tea")
    enter_name(first, "Ann")
    expect(first.locator("#message")).to_be_visible()
    second = second_tab(first)
    enter_name(second, "Ann")
    expect(first.locator("#away")).to_be_visible()
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    restart(server)
    wait_until_connected(second)
    first.reload()
    expect(first.locator("#away")).to_be_visible()
    expect(second.locator("#message")).to_be_visible()


def test_second_tab_may_have_another_name(visit, room):
    first = visit(room)
    enter_name(first, "Ann")
    expect(first.locator("#message")).to_be_visible()
    second = second_tab(first)
    enter_name(second, "Bo")
    for page in (first, second):
        expect(user_names(page)).to_have_text(["Ann", "Bo"])
    send(second, "I'm another")
    expect(message_texts(first)).to_have_text(["I'm another"])
    for page in (first, second):
        page.reload()
        expect(user_names(page)).to_have_text(["Ann", "Bo"])
