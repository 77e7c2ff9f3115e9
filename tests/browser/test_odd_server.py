"""A server that answers anything odd: the page says so, and stays usable."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Page, expect
from support.apps.faulty import NEVER, FaultyServer, read
from support.browser.windows import enter, is_connected, messages, names_here, say, texts, unsent

ODD = "The server said something that this page doesn't understand."
BIG = 2**53 - 1
JUNK = [None, [], {}, "", "ok", 0, 1.5, True, [[]], {"ok": 1}, {"ok": "true"}, {"ok": None}]
REFUSALS = [
    {"ok": False},
    {"ok": False, "code": 1, "message": "no"},
    {"ok": False, "code": "name_taken"},
    {"ok": False, "code": "x", "message": ["no"]},
]

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
    """Open a URL in a window; what the page reports as odd may be an error in its console."""
    contexts = []

    def visit(url: str) -> Page:
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.set_default_timeout(10000)
        page.goto(url)
        page.wait_for_selector("body.is-ready")
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def ann(visit, server) -> Page:
    """Somebody in the room tea, all well so far."""
    page = visit(f"{server.url}/r/tea")
    enter(page, "Ann")
    expect(page.locator("#empty")).to_contain_text("You're the first one here")
    return page


def entry(number: object, message: object = "said", room: object = "tea", user: object = "Bo"):
    return [{"user": user, "message": message}, {"room": room, "id": number, "at": 1000}]


def page_of(*entries: object, **changes: object):
    """A function that answers `join` or `history` with these messages."""
    return lambda asked=None: {**read(asked), "messages": list(entries), **changes}


def says_odd(page: Page, what: object = "") -> None:
    """The page has said that it doesn't understand; it's put away."""
    expect(page.locator("#troubles"), f"after {what!r}").to_contain_text(ODD)
    expect(page.locator("#troubles .trouble")).to_have_count(1)
    page.locator("#troubles").get_by_role("button", name="Dismiss").click()


def open_room(page: Page, room: str) -> None:
    page.locator("#rooms [data-home]").click()
    page.locator("#open-room").fill(room)
    page.locator("#open-room").press("Enter")
    expect(page.locator("#room-title")).to_have_text(room)


def is_usable(page: Page, server: FaultyServer) -> None:
    """Settings open and hold, and in another room one hears and is heard."""
    server.reset()
    page.locator("#show-settings").click()
    page.locator("#setting-theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Escape")
    room = f"cake-{next(rooms)}"
    open_room(page, room)
    expect(page.locator("#empty")).to_contain_text("You're the first one here")
    server.emit("newmsg", *entry(1, "heard", room))
    expect(texts(page)).to_have_text(["heard"])
    say(page, "a word")
    expect(unsent(page)).to_have_count(0)
    expect(page.locator("#troubles .trouble")).to_have_count(0)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until `holds()`, while the page goes on."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def ids(page: Page) -> list[int]:
    return messages(page).evaluate_all("(rows) => rows.map(({ dataset }) => Number(dataset.id))")


def test_odd_answers_to_a_name(visit, server):
    page = visit(f"{server.url}/r/tea")
    is_connected(page)
    odd = [{"ok": True}, {"ok": True, "user": 5}, {"ok": True, "user": None}, {"user": "Ann"}]
    for answer in [*JUNK, *REFUSALS, *odd]:
        server.answers["setUsername"] = answer
        enter(page, "Ann")
        says_odd(page, answer)
    server.reset()
    enter(page, "Ann")
    expect(page.locator("#message")).to_be_visible()
    is_usable(page, server)


def test_odd_answers_to_a_new_name(ann, server):
    for answer in [None, {"ok": True}, *REFUSALS]:
        server.answers["setUsername"] = answer
        ann.locator("#change-name").click()
        ann.locator("#new-name").fill("Anna")
        ann.locator("#rename").get_by_role("button", name="Save").click()
        expect(ann.locator("#troubles .trouble")).to_have_count(1)
        ann.keyboard.press("Escape")
        says_odd(ann, answer)
        expect(ann.locator("#own-name")).to_have_text("Ann")
    is_usable(ann, server)


def test_odd_answers_to_a_rooms_opening(ann, server):
    odd = [{"room": 1}, {"epoch": None}, {"more": "no"}, {"messages": {}}, {"messages": None}]
    odd += [{"count": -1}, {"count": "2"}, {"users": {}}, {"users": [1]}, {"users": None}]
    odd += [{"messages": [item]} for item in [1, None, {}, [], [{}], [{}, {}], [None, None]]]
    odd += [{"messages": [entry(number)]} for number in [-1, 1.5, "1", None, 2**60, True]]
    odd += [{"messages": [entry(1, **{what: 5})]} for what in ("message", "room", "user")]
    for answer in [*JUNK, *REFUSALS, *(page_of(**change) for change in odd)]:
        server.answers["join"] = answer
        open_room(ann, f"odd-{next(rooms)}")
        says_odd(ann, answer() if callable(answer) else answer)
    is_usable(ann, server)


def test_a_room_that_was_opened_oddly_can_be_opened_again(ann, server):
    server.answers["join"] = {}
    open_room(ann, "odd")
    says_odd(ann)
    server.reset()
    server.answers["join"] = page_of(entry(1, "well", "odd"))
    open_room(ann, "odd")
    expect(texts(ann)).to_have_text(["well"])


def test_one_odd_room_does_not_keep_one_out_of_the_others(ann, server):
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
    says_odd(ann)
    for room in ("tea", "good", "fine"):
        ann.locator(f"#room-list [data-room={room}]").click()
        expect(texts(ann)).to_have_text(["in"])


def test_odd_answers_to_a_message(ann, server):
    said = [
        {"ok": True},
        {"ok": True, "id": "1"},
        {"ok": True, "id": -1},
        {"ok": True, "id": BIG + 1},
    ]
    for answer in [*JUNK, *REFUSALS, *said]:
        server.answers["msg"] = answer
        say(ann, "in vain")
        says_odd(ann, answer)
    assert unsent(ann).count() == len([*JUNK, *REFUSALS, *said])
    server.reset()
    say(ann, "at last")
    expect(unsent(ann)).to_have_count(0)
    is_usable(ann, server)


def test_odd_answers_to_leaving(ann, server):
    for answer in [None, {}, {"ok": True}, {"ok": False}]:
        open_room(ann, f"odd-{next(rooms)}")
        expect(ann.locator("#empty")).to_contain_text("You're the first one here")
        server.answers["leave"] = answer
        ann.locator("#leave").click()
        expect(ann.locator("#start")).to_be_visible()
        says_odd(ann, answer)
    is_usable(ann, server)


def test_odd_answers_to_reading_on(ann, server):
    server.emit("newmsg", *entry(1, "first"))
    expect(texts(ann)).to_have_text(["first"])
    for number, answer in enumerate([*JUNK, *REFUSALS, page_of(entry("2"))], 3):
        server.answers["history"] = answer
        server.emit("newmsg", *entry(number))
        says_odd(ann, answer)
    server.answers["history"] = page_of(*(entry(n, f"{n}") for n in range(2, 40)))
    server.emit("newmsg", *entry(40, "40"))
    expect(messages(ann)).to_have_count(40)
    assert ids(ann) == list(range(1, 41))
    is_usable(ann, server)


def test_events_that_are_odd(ann, server):
    server.emit("newmsg", *entry(1, "before"))
    expect(texts(ann)).to_have_text(["before"])
    tea = {"room": "tea"}
    events = [["newmsg"], ["newmsg", None], ["newmsg", "x", "y"], ["newmsg", entry(2)[0]]]
    events += [["newmsg", [], []], ["newmsg", *entry("2")], ["newmsg", *entry(2, None)]]
    events += [["newmsg", *entry(2, user={})], ["newmsg", *entry(2, room=None)]]
    events += [
        ["newmsg", entry(2)[0], {"room": "tea", "id": 2, "at": at}] for at in ("now", 1e300, -1)
    ]
    for event in ("userJoined", "userLeft", "userTyping", "userRenamed", "presence"):
        events += [
            [event],
            [event, None],
            [event, []],
            [event, "tea"],
            [event, {"room": 1}],
            [event, tea],
        ]
    events += [["userJoined", tea | {"user": 5}], ["userTyping", tea | {"user": None}]]
    events += [["userRenamed", tea | {"from": "Bo"}], ["userRenamed", tea | {"to": "Bo"}]]
    events += [["presence", tea | {"count": n}] for n in (-1, "2", 1.5, None)]
    events += [["refused"], ["refused", None], ["refused", 1], ["refused", "taken_over"]]
    unsaid = []
    for event in events:
        server.emit(*event)
        server.emit("newmsg", *entry(1))
        try:
            says_odd(ann, event)
        except AssertionError:
            unsaid.append(event)
            ann.locator("#troubles .icon-button").evaluate_all(
                "(all) => all.forEach((b) => b.click())"
            )
    assert not unsaid, "\n".join(map(str, unsaid))
    is_usable(ann, server)


def test_events_that_break_nothing(ann, server):
    """A name that isn't said must not stay among those who are here or type."""
    server.emit("userJoined", {"room": "tea", "user": "Bo"})
    expect(names_here(ann)).to_have_text(["Bo"])
    server.emit("userRenamed", {"room": "tea", "from": "Bo"})
    server.emit("userTyping", {"room": "tea"})
    server.emit("userJoined", {"room": "tea", "user": "Cy"})
    expect(names_here(ann).filter(has_text="Cy")).to_be_visible()
    server.emit("newmsg", *entry(1, "after"))
    expect(texts(ann)).to_have_text(["after"])
    expect(ann.locator("body")).not_to_contain_text("undefined")


def test_what_the_page_does_not_know_is_no_trouble(ann, server):
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
    expect(texts(ann)).to_have_text(["heard"])
    expect(ann.locator("#room-list li")).to_have_count(2)
    expect(ann.locator("#troubles .trouble")).to_have_count(0)
    is_usable(ann, server)


def test_messages_out_of_order_and_repeated_are_shown_in_order_once(ann, server):
    disorder = [3, 1, 2, 2, 7, 5, 5, 9, 3]
    server.answers["join"] = page_of(*(entry(n, f"{n}", "disorder") for n in disorder))
    open_room(ann, "disorder")
    expect(messages(ann).last).to_contain_text("9")
    server.answers["history"] = page_of(*(entry(n, f"{n}", "disorder") for n in (12, 10, 10, 11)))
    server.emit("newmsg", *entry(13, "13", "disorder"))
    expect(messages(ann).last).to_contain_text("13")
    shown = ids(ann)
    assert shown == sorted(set(shown))
    is_usable(ann, server)


def test_older_messages_in_disorder_are_shown_in_order_once(ann, server):
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
    is_usable(ann, server)


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
    says_odd(ann)  # the year is beyond what there is
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
    is_usable(ann, server)


@pytest.mark.parametrize("after", [0, 2**40, "soon", {}])
def test_who_is_told_to_wait_an_odd_while_does_not_storm(ann, server, after):
    refusal = {"ok": False, "code": "rate_limited", "message": "slow down", "retryAfter": after}
    server.answers["join"] = server.answers["msg"] = refusal
    open_room(ann, f"odd-{next(rooms)}")
    say(ann, "soon")
    ann.wait_for_timeout(1000)
    assert server.asked["join"] + server.asked["msg"] < 20
    expect(ann.locator("body")).not_to_contain_text("NaN")


def test_answers_that_never_come_are_asked_for_again(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(f"{server.url}/r/tea")
    page.wait_for_selector("body.is-ready")
    is_connected(page)
    for event, do in [
        ("setUsername", lambda: enter(page, "Ann")),
        ("join", lambda: open_room(page, "cake")),
        ("msg", lambda: say(page, "hello")),
    ]:
        well = server.answers[event]
        server.answers[event] = NEVER
        server.asked.clear()
        do()
        until(page, lambda event=event: server.asked[event] >= 1)
        server.answers[event] = well
        page.clock.fast_forward(11000)
        until(page, lambda event=event: server.asked[event] >= 2)
    expect(unsent(page)).to_have_count(0)
    expect(page.locator("#own-name")).to_have_text("Ann")
    expect(page.locator("#troubles .trouble")).to_have_count(0)
    context.close()


def test_epochs_that_never_stay_are_no_storm(ann, server):
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
    is_usable(ann, server)
