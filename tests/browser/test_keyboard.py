"""All that the page can do, it does for whoever has but a keyboard; the focus is never lost."""

from __future__ import annotations

import re

import pytest
from person import Person
from playwright.sync_api import Locator, Page, WebSocketRoute, expect
from windows import is_connected, messages, names_here, texts, unsent

PHONE = {"width": 390, "height": 700}
MOST_TABS = 60
LONG = "\n".join(f"line {n} of a long story" for n in range(40))
COPYING = {"permissions": ["clipboard-read", "clipboard-write"]}


def tab_to(page: Page, target: str | Locator) -> Locator:
    """Press Tab until `target`, or the button or link of that name, has the focus."""
    if isinstance(target, str):
        target = page.get_by_role("button", name=target).or_(page.get_by_role("link", name=target))
    expect(target.first).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate_all("(all) => all.includes(document.activeElement)"):
            return page.locator(":focus")
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab doesn't come to {target}")


def press(page: Page, target: str | Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def write(page: Page, words: str) -> None:
    """Write and send a message."""
    tab_to(page, page.locator("#message"))
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def focus_is_kept(page: Page) -> None:
    """Something that can be seen has the focus, once the page has been painted."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert page.evaluate(
        "document.activeElement !== document.body && document.activeElement.checkVisibility()"
    ), "the focus is lost"


def come_in(page: Page, name: str) -> None:
    tab_to(page, page.locator("#name"))
    page.keyboard.press("Control+a")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_visible()


@pytest.fixture
def ann(visit, room) -> Page:
    """Ann in a room, at her keyboard."""
    page = visit(room, **COPYING)
    come_in(page, "Ann")
    return page


@pytest.fixture
def join(room):
    """Have people come into the room."""
    people = []

    def join(*names: str) -> list[Person]:
        for name in names:
            person = Person(room.split("/r/")[0], "websocket")
            people.append(person)
            assert person.sets(name)["ok"]
            assert person.says("join", {"room": room.split("/r/")[1]})["ok"]
        return people[-len(names) :]

    yield join
    for person in people:
        person.leaves()


def tell(person: Person, room: str, *messages: str) -> None:
    for message in messages:
        assert person.says("msg", {"room": room.split("/r/")[1], "message": message})["ok"]


# From the start page into rooms


def test_a_new_room_is_begun(visit, url):
    page = visit(url, **COPYING)
    press(page, page.locator("#start").get_by_role("button", name="Start a new room"))
    expect(page.locator("#room-title")).to_have_text(re.compile(r"^[a-z]+(-[a-z]+){4}$"))
    expect(page.locator("#name")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    come_in(page, "Ann New")
    expect(page.locator("#message")).to_be_focused()


def test_a_new_room_is_begun_by_who_has_a_name(ann):
    press(ann, ann.locator("#rooms").get_by_role("button", name="Start a new room"))
    expect(ann.locator("#room-title")).to_have_text(re.compile(r"^[a-z]+(-[a-z]+){4}$"))
    focus_is_kept(ann)


def test_a_room_is_opened_by_its_name(visit, url):
    page = visit(url)
    tab_to(page, page.locator("#open-room"))
    page.keyboard.type("no room?")
    page.keyboard.press("Enter")
    expect(page.locator("#open-room-error")).not_to_be_empty()
    expect(page.locator("#open-room")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("by-keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("#room-title")).to_have_text("by-keyboard")
    expect(page.locator("#name")).to_be_focused()


def test_the_lobby_is_gone_to(visit, url):
    page = visit(url)
    press(page, "Go to the lobby")
    expect(page.locator("#room-title")).to_have_text("Lobby")
    focus_is_kept(page)


def test_who_comes_by_a_link_can_write_a_name_at_once(visit, room):
    page = visit(room)
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("a\u200bb")
    page.keyboard.press("Enter")
    expect(page.locator("#error-container")).not_to_be_empty()
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#message")).to_be_focused()


def test_rooms_are_switched(ann):
    name = ann.url.split("/r/")[1]
    press(ann, ann.locator("#room-list").get_by_role("link", name="Lobby"))
    expect(ann.locator("#room-title")).to_have_text("Lobby")
    focus_is_kept(ann)
    press(ann, ann.locator("#room-list").get_by_role("link", name=name))
    expect(ann.locator("#room-title")).to_have_text(name)
    focus_is_kept(ann)


def test_a_room_is_left(ann):
    name = ann.url.split("/r/")[1]
    press(ann, "Leave this room")
    expect(ann.locator("#start")).to_be_visible()
    expect(ann.locator("#rooms").get_by_role("link", name=name)).to_have_count(0)
    focus_is_kept(ann)


@pytest.mark.parametrize("is_named", [False, True])
def test_the_skip_link_leads_to_where_one_writes(visit, room, is_named):
    page = visit(room)
    if is_named:
        come_in(page, "Ann")
    press(page, page.locator(".skip"))
    expect(page.locator("#message" if is_named else "#name")).to_be_focused()


def test_the_skip_link_of_the_start_page_leads_into_it(visit, url):
    page = visit(url)
    press(page, page.locator(".skip"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#start').contains(document.activeElement)")


# Writing


def test_enter_sends_and_shift_enter_breaks_the_line(ann):
    tab_to(ann, ann.locator("#message"))
    ann.keyboard.type("one")
    ann.keyboard.press("Shift+Enter")
    ann.keyboard.type("two")
    expect(ann.locator("#message")).to_have_value("one\ntwo")
    ann.keyboard.press("Enter")
    expect(texts(ann)).to_have_text(["one\ntwo"], use_inner_text=True)
    expect(ann.locator("#message")).to_have_value("")
    expect(ann.locator("#message")).to_be_focused()


def test_a_message_is_sent_by_its_button(ann):
    tab_to(ann, ann.locator("#message"))
    ann.keyboard.type("by the button")
    press(ann, "Send", "Space")
    expect(texts(ann)).to_have_text(["by the button"])
    expect(ann.locator("#message")).to_be_focused()


def test_tab_completes_a_name_and_then_the_next(ann, join):
    join("Anders", "Annika", "Bo")
    expect(names_here(ann)).to_have_count(4)
    tab_to(ann, ann.locator("#message"))
    ann.keyboard.type("hi @an")
    ann.keyboard.press("Tab")
    expect(ann.locator("#message")).to_have_value("hi @Anders ")
    ann.keyboard.press("Tab")
    expect(ann.locator("#message")).to_have_value("hi @Annika ")
    expect(ann.locator("#announcer")).to_contain_text("Annika")
    ann.keyboard.type("and")
    ann.keyboard.press("Tab")
    expect(ann.locator("#message")).not_to_be_focused()


def test_tab_completes_an_emoji(ann):
    tab_to(ann, ann.locator("#message"))
    with ann.expect_response(re.compile("gemoji")):
        ann.keyboard.type(":rocke")
    ann.keyboard.press("Tab")
    expect(ann.locator("#message")).to_have_value("🚀")


def test_a_message_that_failed_is_tried_again_and_removed(ann):
    write(ann, "\u200b")
    expect(unsent(ann)).to_have_class(re.compile("failed"))
    press(ann, "Try again")
    expect(unsent(ann)).to_have_class(re.compile("failed"))
    focus_is_kept(ann)
    press(ann, ann.get_by_role("button", name="Remove"))
    expect(unsent(ann)).to_have_count(0)
    focus_is_kept(ann)


# People


def test_a_person_is_mentioned_ignored_and_heard_again(ann, join, room):
    (bo,) = join("Bo")
    people = ann.locator("#people-list")
    press(ann, people.get_by_role("button", name=re.compile(r"^(Mention )?\W*Bo\W*$")))
    expect(ann.locator("#message")).to_be_focused()
    expect(ann.locator("#message")).to_have_value("@Bo ")
    tell(bo, room, "something")
    expect(texts(ann)).to_have_text(["something"])
    press(ann, people.get_by_role("button", name=re.compile("Ignore")))
    expect(texts(ann)).to_have_count(0)
    focus_is_kept(ann)
    press(ann, people.get_by_role("button", name=re.compile("Don't ignore")))
    expect(texts(ann)).to_have_text(["something"])
    focus_is_kept(ann)


def test_the_sender_of_a_message_is_mentioned(ann, join, room):
    tell(join("Bo")[0], room, "something")
    press(ann, messages(ann).get_by_role("button", name=re.compile("Bo")))
    expect(ann.locator("#message")).to_be_focused()
    expect(ann.locator("#message")).to_have_value("@Bo ")


def test_who_is_ignored_is_heard_again_by_the_settings(ann, join):
    join("Bo", "Cy")
    for name in ("Bo", "Cy"):
        press(ann, ann.locator("#people-list").get_by_role("button", name=f"Ignore \u2068{name}"))
    press(ann, "Settings")
    press(ann, ann.locator("#settings").get_by_role("button", name=re.compile("Bo")))
    expect(ann.locator("#settings li")).to_have_count(1)
    focus_is_kept(ann)
    press(ann, ann.locator("#settings").get_by_role("button", name=re.compile("Cy")))
    expect(ann.locator("#settings li")).to_have_count(0)
    focus_is_kept(ann)


def test_one_takes_another_name(ann):
    press(ann, "Change your name")
    expect(ann.locator("#new-name")).to_be_focused()
    ann.keyboard.type("a\u200bb")
    ann.keyboard.press("Enter")
    expect(ann.locator("#rename-error")).not_to_be_empty()
    ann.keyboard.press("Control+a")
    ann.keyboard.type("Anna")
    ann.keyboard.press("Enter")
    expect(ann.locator("#rename")).to_be_hidden()
    expect(ann.locator("#own-name")).to_have_text("Anna")
    expect(ann.locator("#change-name")).to_be_focused()


# The room


def test_a_room_is_muted_and_not(ann):
    mute = ann.locator("#mute")
    press(ann, "Mute this room", "Space")
    expect(mute).to_have_attribute("aria-pressed", "true")
    expect(mute).to_be_focused()
    ann.keyboard.press("Space")
    expect(mute).to_have_attribute("aria-pressed", "false")


def test_the_link_is_copied_and_what_is_said_of_it_put_away(ann):
    press(ann, "Copy link")
    expect(ann.locator(".trouble")).to_contain_text("copied")
    assert ann.evaluate("navigator.clipboard.readText()") == ann.url
    expect(ann.locator("#copy-link")).to_be_focused()
    press(ann, "Dismiss")
    expect(ann.locator(".trouble")).to_have_count(0)
    focus_is_kept(ann)


def test_the_settings_are_changed(ann):
    press(ann, ann.locator("#show-settings"))
    tab_to(ann, ann.get_by_label("Colours"))
    ann.keyboard.press("ArrowDown")
    ann.keyboard.press("ArrowDown")
    expect(ann.locator("html")).to_have_attribute("data-theme", "dark")
    expect(ann.get_by_label("Colours")).to_be_focused()
    press(ann, ann.get_by_label("Compact"), "Space")
    expect(ann.locator("html")).to_have_attribute("data-compact", "")
    expect(ann.get_by_label("Compact")).to_be_focused()
    tab_to(ann, ann.get_by_label("Language"))
    ann.keyboard.press("d")
    expect(ann.locator("html")).to_have_attribute("lang", "de")
    expect(ann.locator("#setting-language")).to_be_focused()
    ann.keyboard.press("Escape")
    expect(ann.locator("#settings")).to_be_hidden()
    expect(ann.locator("#show-settings")).to_be_focused()


def test_a_language_is_chosen_by_writing_its_name(ann):
    press(ann, ann.locator("#show-settings"))
    tab_to(ann, ann.get_by_label("Language"))
    ann.keyboard.type("Deutsch")
    expect(ann.locator("#setting-language")).to_have_value("de")
    expect(ann.locator("html")).to_have_attribute("lang", "de")


# Reading


def test_a_long_message_is_unfolded(ann, join, room):
    tell(join("Bo")[0], room, LONG)
    press(ann, "Show all")
    expect(ann.locator(".folded")).to_have_count(0)
    expect(ann.locator(":focus")).to_have_text("Show less")
    expect(ann.locator(":focus")).to_have_attribute("aria-expanded", "true")
    ann.keyboard.press("Enter")
    expect(ann.locator(".folded")).to_have_count(1)


def test_what_is_folded_away_is_in_view_when_it_is_come_to(ann, join, room):
    tell(join("Bo")[0], room, LONG + "\nhttps://example.org/hidden")
    tab_to(ann, ann.get_by_role("link", name="hidden"))
    assert ann.evaluate(
        """() => {
            const text = document.activeElement.closest(".text");
            const bottomOf = (element) => element.getBoundingClientRect().bottom;
            return text === null || bottomOf(document.activeElement) <= bottomOf(text);
        }"""
    )


def test_code_is_copied(ann, join, room):
    tell(join("Bo")[0], room, "```\nprint(1)\n```")
    copy = ann.locator(".code button")
    press(ann, copy)
    expect(copy).to_have_attribute("aria-label", "Copied")
    expect(copy).to_be_focused()
    assert ann.evaluate("navigator.clipboard.readText()") == "print(1)"


def test_the_messages_are_scrolled_and_the_newest_come_back_to(ann, join, room):
    (bo,) = join("Bo")
    tell(bo, room, *(f"message {n}" for n in range(60)))
    expect(texts(ann)).to_have_count(60)
    listing = ann.locator("#message-container")
    tab_to(ann, listing)
    at_end = listing.evaluate("list => list.scrollTop")
    for _ in range(5):
        ann.keyboard.press("ArrowUp")
    ann.wait_for_function(
        "top => document.querySelector('#message-container').scrollTop < top - 100", arg=at_end
    )
    ann.keyboard.press("Home")
    ann.wait_for_function("() => document.querySelector('#message-container').scrollTop === 0")
    tell(bo, room, "the newest")
    below = ann.locator(".below")
    expect(below).to_have_text("1 new message")
    press(ann, below)
    expect(texts(ann).last).to_be_in_viewport()
    expect(below).to_be_hidden()
    focus_is_kept(ann)


# Small windows


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_a_drawer_is_opened_and_closed(visit, room, drawer):
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    button = page.locator(f"#show-{drawer}")
    place = page.locator(f"#{drawer}")
    press(page, button)
    expect(place).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert place.evaluate("drawer => drawer.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(place).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    press(page, place.get_by_role("button", name="Close"))
    expect(place).to_be_hidden()
    expect(button).to_be_focused()


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_an_open_drawer_keeps_the_focus_from_what_it_covers(visit, room, join, drawer):
    join("Bo")
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    press(page, page.locator(f"#show-{drawer}"))
    expect(page.locator(f"#{drawer}")).to_be_visible()
    for _ in range(15):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "id => ['BODY', 'HTML'].includes(document.activeElement.tagName)"
            " || document.getElementById(id).contains(document.activeElement)",
            drawer,
        ), "the focus is under the veil"


def test_what_a_drawer_opened_comes_back_to_something_in_view(visit, room):
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    for button in ("#show-settings", "#change-name"):
        press(page, page.locator("#show-rooms"))
        press(page, page.locator(button))
        expect(page.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        focus_is_kept(page)
        page.keyboard.press("Escape")


def test_a_room_is_chosen_in_the_drawer(visit, room):
    page = visit(room, viewport=PHONE)
    come_in(page, "Ann")
    press(page, page.locator("#show-rooms"))
    press(page, page.locator("#room-list").get_by_role("link", name="Lobby"))
    expect(page.locator("#room-title")).to_have_text("Lobby")
    expect(page.locator("#rooms")).to_be_hidden()
    focus_is_kept(page)


# The connection


def test_the_connection_is_tried_now(ann):
    page, sockets, is_cut = ann, [], False

    def connect(socket: WebSocketRoute) -> None:
        if is_cut:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route(
        re.compile("/socket.io/"), lambda route: route.abort() if is_cut else route.continue_()
    )
    page.route_web_socket(re.compile("/socket.io/"), connect)
    page.reload()
    is_connected(page)
    is_cut = True
    for socket in sockets:
        socket.close()
    line = page.locator("#connection")
    expect(line).to_contain_text(re.compile(r"Reconnecting in ([3-9]|1\d) s"), timeout=60000)
    tab_to(page, line.get_by_role("button", name="Now"))
    is_cut = False
    page.keyboard.press("Enter")
    expect(line).to_contain_text("Connected", timeout=3000)
    focus_is_kept(page)


def test_one_comes_back_from_the_other_tab(ann):
    tab_to(ann, ann.locator("#message"))
    second = ann.context.new_page()
    second.goto(ann.url)
    second.wait_for_selector("body.is-ready")
    come_in(second, "Ann")
    expect(ann.locator("#away")).to_be_visible()
    ann.bring_to_front()
    ann.keyboard.press("Escape")
    ann.keyboard.press("Escape")
    expect(ann.locator("#away")).to_be_visible()
    press(ann, ann.get_by_role("button", name="Chat here instead"))
    expect(ann.locator("#away")).to_be_hidden()
    focus_is_kept(ann)
    write(ann, "back again")
    expect(texts(ann)).to_have_text(["back again"])


# The whole page


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 720}, PHONE])
@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_nothing_holds_the_focus_fast(visit, room, join, viewport, key):
    (bo,) = join("Bo")
    tell(bo, room, "see https://example.org", "```\ncode\n```", LONG)
    page = visit(room, viewport=viewport)
    come_in(page, "Ann")
    expect(names_here(page)).to_have_count(2)
    page.evaluate("document.activeElement.blur()")
    wanted = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll(
                "a[href], button:enabled, input, select, textarea, [tabindex='0']"
            )].filter((element) => element.checkVisibility());
            all.forEach((element, number) => (element.dataset.number = number));
            return all.length;
        }"""
    )
    come_to: list[str] = []
    for _ in range(2 * wanted):
        page.keyboard.press(key)
        number = page.evaluate("document.activeElement.dataset.number ?? ''")
        if number and number in come_to:
            break
        come_to.append(number)
    assert set(come_to) - {""} == {str(number) for number in range(wanted)}
