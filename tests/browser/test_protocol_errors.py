"""Test that the page reports a server's malformed answers and events, and stays usable."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Page, expect
from support.apps.faulty import NEVER, FaultyServer, read
from support.browser.windows import (
    enter_name,
    load,
    message_texts,
    messages,
    send,
    unsent_messages,
    user_names,
    wait_until_connected,
    windows,
)

PROTOCOL_ERROR = "The server said something that this page doesn't understand."
BIG = 2**53 - 1
MALFORMED = [None, [], {"ok": "true"}, {"ok": False, "code": "name_taken"}]
"""Answers to any request. tests/js/wire.test.mjs tests all shapes."""

rooms = count(1)


@pytest.fixture(scope="module")
def running():
    server = FaultyServer()
    yield server
    server.stop()


@pytest.fixture
def server(running) -> FaultyServer:
    running.reset()
    running.asked.clear()
    return running


@pytest.fixture
def visit(browser):
    """Open a URL in a window, whose errors don't fail the test."""
    with windows(browser) as open_window:

        def visit(url: str) -> Page:
            page = open_window()
            page.set_default_timeout(10000)
            load(page, url)
            return page

        yield visit


@pytest.fixture
def ann(visit, server) -> Page:
    """Return the page of Ann in the room tea."""
    page = visit(f"{server.url}/r/tea")
    enter_name(page, "Ann")
    expect(page.locator("#empty")).to_contain_text("You're the first one here")
    return page


def entry(number: object, message: object = "said", room: object = "tea", user: object = "Bo"):
    return [{"user": user, "message": message}, {"room": room, "id": number, "at": 1000}]


def page_of(*entries: object, **changes: object):
    """Return a function that answers `join` or `history` with these messages."""
    return lambda asked=None: {**read(asked), "messages": list(entries), **changes}


def expect_protocol_error(page: Page, what: object = "") -> None:
    """Expect the alert about a malformed answer, and dismiss it."""
    expect(page.locator("#troubles"), f"after {what!r}").to_contain_text(PROTOCOL_ERROR)
    expect(page.locator("#troubles .trouble")).to_have_count(1)
    page.locator("#troubles").get_by_role("button", name="Dismiss").click()


def open_room(page: Page, room: str) -> None:
    page.locator("#rooms [data-home]").click()
    page.locator("#open-room").fill(room)
    page.locator("#open-room").press("Enter")
    expect(page.locator("#room-title")).to_have_text(room)


def expect_usable(page: Page, server: FaultyServer) -> None:
    """Expect that settings and another room work."""
    server.reset()
    page.locator("#show-settings").click()
    page.locator("#setting-theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Escape")
    room = f"cake-{next(rooms)}"
    open_room(page, room)
    expect(page.locator("#empty")).to_contain_text("You're the first one here")
    server.emit("newmsg", *entry(1, "heard", room))
    expect(message_texts(page)).to_have_text(["heard"])
    send(page, "a word")
    expect(unsent_messages(page)).to_have_count(0)
    expect(page.locator("#troubles .trouble")).to_have_count(0)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until `holds()`, while the page runs."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def ids(page: Page) -> list[int]:
    return messages(page).evaluate_all("(rows) => rows.map(({ dataset }) => Number(dataset.id))")


def test_malformed_answers_to_a_name(visit, server):
    page = visit(f"{server.url}/r/tea")
    wait_until_connected(page)
    for answer in [*MALFORMED, {"ok": True, "user": 5}]:
        server.answers["setUsername"] = answer
        enter_name(page, "Ann")
        expect_protocol_error(page, answer)
    server.reset()
    enter_name(page, "Ann")
    expect(page.locator("#message")).to_be_visible()
    expect_usable(page, server)


def test_malformed_answers_to_a_rename(ann, server):
    for answer in [None, {"ok": True}, {"ok": False}]:
        server.answers["setUsername"] = answer
        ann.locator("#change-name").click()
        ann.locator("#new-name").fill("Anna")
        ann.locator("#rename").get_by_role("button", name="Save").click()
        expect(ann.locator("#troubles .trouble")).to_have_count(1)
        ann.keyboard.press("Escape")
        expect_protocol_error(ann, answer)
        expect(ann.locator("#own-name")).to_have_text("Ann")
    expect_usable(ann, server)


def test_malformed_answers_to_a_join(ann, server):
    changes = [{"epoch": None}, {"users": [1]}, {"messages": [{}]}, {"messages": [entry("1")]}]
    for answer in [*MALFORMED, *(page_of(**change) for change in changes)]:
        server.answers["join"] = answer
        open_room(ann, f"odd-{next(rooms)}")
        expect_protocol_error(ann, answer() if callable(answer) else answer)
    expect_usable(ann, server)


def test_room_can_be_joined_after_a_malformed_answer(ann, server):
    server.answers["join"] = {}
    open_room(ann, "odd")
    expect_protocol_error(ann)
    server.reset()
    server.answers["join"] = page_of(entry(1, "well", "odd"))
    open_room(ann, "odd")
    expect(message_texts(ann)).to_have_text(["well"])


def test_malformed_answer_in_one_room_does_not_block_the_others(ann, server):
    for room in ("good", "odd", "fine"):
        open_room(ann, room)
        expect(ann.locator("#empty")).to_contain_text("You're the first one here")

    def join(asked):
        return (
            {}
            if asked["room"] in ("odd", "lobby")
            else page_of(entry(1, "in", asked["room"]))(asked)
        )

    server.answers["join"] = join
    server.disconnect_all()
    expect_protocol_error(ann)
    for room in ("tea", "good", "fine"):
        ann.locator(f"#room-list [data-room={room}]").click()
        expect(message_texts(ann)).to_have_text(["in"])


def test_malformed_answers_to_a_message(ann, server):
    answers = [*MALFORMED, {"ok": True, "id": BIG + 1}]
    for answer in answers:
        server.answers["msg"] = answer
        send(ann, "in vain")
        expect_protocol_error(ann, answer)
    assert unsent_messages(ann).count() == len(answers)
    server.reset()
    send(ann, "at last")
    expect(unsent_messages(ann)).to_have_count(0)
    expect_usable(ann, server)


def test_malformed_answers_to_leaving(ann, server):
    for answer in [None, {}, {"ok": True}, {"ok": False}]:
        open_room(ann, f"odd-{next(rooms)}")
        expect(ann.locator("#empty")).to_contain_text("You're the first one here")
        server.answers["leave"] = answer
        ann.locator("#leave").click()
        expect(ann.locator("#start")).to_be_visible()
        expect_protocol_error(ann, answer)
    expect_usable(ann, server)


def test_malformed_history(ann, server):
    server.emit("newmsg", *entry(1, "first"))
    expect(message_texts(ann)).to_have_text(["first"])
    for number, answer in enumerate([*MALFORMED, page_of(entry("2"))], 3):
        server.answers["history"] = answer
        server.emit("newmsg", *entry(number))
        expect_protocol_error(ann, answer)
    server.answers["history"] = page_of(*(entry(n, f"{n}") for n in range(2, 40)))
    server.emit("newmsg", *entry(40, "40"))
    expect(messages(ann)).to_have_count(40)
    assert ids(ann) == list(range(1, 41))
    expect_usable(ann, server)


def test_malformed_events(ann, server):
    server.emit("newmsg", *entry(1, "before"))
    expect(message_texts(ann)).to_have_text(["before"])
    tea = {"room": "tea"}
    events = [["newmsg"], ["newmsg", None], ["newmsg", *entry("2")], ["newmsg", *entry(2, user={})]]
    events += [["newmsg", entry(2)[0], {"room": "tea", "id": 2, "at": 1e300}]]
    for event in ("userJoined", "userLeft", "userTyping", "userRenamed", "presence"):
        events += [[event], [event, "tea"], [event, tea]]
    events += [["refused"], ["refused", "taken_over"]]
    for event in events:
        server.emit(*event)
        expect_protocol_error(ann, event)
    expect_usable(ann, server)


def test_malformed_people_events_change_nothing(ann, server):
    """A missing name must not become `undefined` on the page."""
    server.emit("userJoined", {"room": "tea", "user": "Bo"})
    expect(user_names(ann)).to_have_text(["Bo"])
    server.emit("userRenamed", {"room": "tea", "from": "Bo"})
    server.emit("userTyping", {"room": "tea"})
    server.emit("userJoined", {"room": "tea", "user": "Cy"})
    expect(user_names(ann).filter(has_text="Cy")).to_be_visible()
    server.emit("newmsg", *entry(1, "after"))
    expect(message_texts(ann)).to_have_text(["after"])
    expect(ann.locator("body")).not_to_contain_text("undefined")


def test_unknown_events_and_rooms_are_ignored(ann, server):
    server.emit("unknown")
    server.emit("hasOwnProperty", {"room": "tea"})
    server.emit("refused", {})
    server.emit("refused", {"event": 1, "code": "toString", "message": None})
    for room in ("elsewhere", "constructor", "__proto__"):
        server.emit("newmsg", *entry(1, room=room))
        server.emit("userJoined", {"room": room, "user": "Bo"})
    server.emit("userSet", None)
    server.emit("userExists")
    server.emit("newmsg", *entry(1, "heard"))
    expect(message_texts(ann)).to_have_text(["heard"])
    expect(ann.locator("#room-list li")).to_have_count(2)
    expect(ann.locator("#troubles .trouble")).to_have_count(0)
    expect_usable(ann, server)


def test_unordered_and_repeated_messages_are_shown_once_in_order(ann, server):
    disorder = [3, 1, 2, 2, 7, 5, 5, 9, 3]
    server.answers["join"] = page_of(*(entry(n, f"{n}", "disorder") for n in disorder))
    open_room(ann, "disorder")
    expect(messages(ann).last).to_contain_text("9")
    server.answers["history"] = page_of(*(entry(n, f"{n}", "disorder") for n in (12, 10, 10, 11)))
    server.emit("newmsg", *entry(13, "13", "disorder"))
    expect(messages(ann).last).to_contain_text("13")
    shown = ids(ann)
    assert shown == sorted(set(shown))
    expect_usable(ann, server)


def test_unordered_older_messages_are_shown_once_in_order(ann, server):
    newest = [entry(n, f"{n}", "older") for n in range(101, 151)]
    server.answers["join"] = page_of(*newest, more=True)
    older = [entry(n, f"{n}", "older") for n in (90, 100, 95, 95, 99, 100, 120)]
    server.answers["history"] = page_of(*older, more=True)
    open_room(ann, "older")
    expect(messages(ann).last).to_contain_text("150")
    ann.locator("#message-container").evaluate("(list) => (list.scrollTop = 0)")
    expect(messages(ann).first).to_contain_text("90")
    shown = ids(ann)
    assert shown == sorted(set(shown))
    assert server.asked["history"] < 20
    expect_usable(ann, server)


def test_huge_numbers_and_names(ann, server):
    server.answers["join"] = page_of(
        [
            {"user": "W" * 70000, "message": "m" * 70000},
            {"room": "huge", "id": BIG, "at": BIG},
        ],
        count=BIG,
        users=["W" * 70000, "", "\u202eevil", "\u2069"],
    )
    open_room(ann, "huge")
    expect_protocol_error(ann)  # the time is after the last day of Date
    first = [{"user": "", "message": ""}, {"room": "vast", "id": 0, "at": 0}]
    last = [
        {"user": "W" * 70000, "message": "m" * 70000},
        {"room": "vast", "id": BIG, "at": 8.64e15},
    ]
    server.answers["join"] = page_of(first, last, count=BIG, users=["W" * 70000, ""])
    open_room(ann, "vast")
    expect(messages(ann)).not_to_have_count(0)
    server.emit("newmsg", *entry(BIG, "again", "vast"))
    server.emit("presence", {"room": "vast", "count": 0})
    assert ann.evaluate("document.querySelector('main').scrollWidth <= innerWidth")
    expect_usable(ann, server)


@pytest.mark.parametrize("after", [0, 2**40, "soon", {}])
def test_malformed_retry_after_does_not_flood_the_server(ann, server, after):
    refusal = {"ok": False, "code": "rate_limited", "message": "slow down", "retryAfter": after}
    server.answers["join"] = server.answers["msg"] = refusal
    open_room(ann, f"odd-{next(rooms)}")
    send(ann, "soon")
    ann.wait_for_timeout(1000)
    assert server.asked["join"] + server.asked["msg"] < 20
    expect(ann.locator("body")).not_to_contain_text("NaN")


def test_unanswered_requests_are_repeated(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(f"{server.url}/r/tea")
    page.wait_for_selector("body.is-ready")
    wait_until_connected(page)
    for event, do in [
        ("setUsername", lambda: enter_name(page, "Ann")),
        ("join", lambda: open_room(page, "cake")),
        ("msg", lambda: send(page, "hello")),
    ]:
        well = server.answers[event]
        server.answers[event] = NEVER
        server.asked.clear()
        do()
        until(page, lambda event=event: server.asked[event] >= 1)
        server.answers[event] = well
        page.clock.fast_forward(11000)
        until(page, lambda event=event: server.asked[event] >= 2)
    expect(unsent_messages(page)).to_have_count(0)
    expect(page.locator("#own-name")).to_have_text("Ann")
    expect(page.locator("#troubles .trouble")).to_have_count(0)
    context.close()


def test_changing_epochs_do_not_flood_the_server(ann, server):
    epochs = count()

    def read_on(asked):
        return page_of(entry(1), epoch=str(next(epochs)), more=True)(asked)

    server.answers["join"] = server.answers["history"] = read_on
    server.asked.clear()
    server.disconnect_all()
    expect(ann.locator("#connection")).to_contain_text("Connected")
    until(ann, lambda: server.asked["join"] >= 2)
    ann.wait_for_timeout(500)
    assert server.asked["join"] + server.asked["history"] < 40
    expect_usable(ann, server)
