"""Everyone can use the page: axe finds nothing, at any zoom, in any colours, and without a flood of
announcements (WCAG 2.2, level AA)."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

import pytest
from person import Person
from playwright.sync_api import Locator, Page, expect
from serving import UNLIMITED
from windows import enter, messages, names_here, say, texts, unsent

AXE = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
THEMES = ["light", "dark", "contrast"]
LANGUAGES = ["en", "ar"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
FEW = {**UNLIMITED, "NAME_HOLD": "0.05", "MESSAGE_LIMIT": "4/3000"}
"""A server that soon takes no more messages: the next ones stay on their way."""
MOST_TABS = 120
LONG = "\n".join(f"line {n} of a long story" for n in range(40))

numbers = count(1)


def dress(page: Page, **settings: str | list[str]) -> None:
    """Set settings, as another window of this browser would."""
    page.evaluate(
        """settings => {
            const kept = JSON.parse(localStorage.getItem("chat.settings") ?? "{}");
            localStorage.setItem("chat.settings", JSON.stringify({...kept, ...settings}));
            window.dispatchEvent(new StorageEvent("storage", {key: "chat.settings"}));
        }""",
        settings,
    )
    if language := settings.get("language"):
        expect(page.locator("html")).to_have_attribute("lang", language)
    is_painted(page)


def is_painted(page: Page) -> None:
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def findings(page: Page) -> list[str]:
    """What axe has against the page as it stands."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    return page.evaluate(
        """async tags => {
            const found = await axe.run(document, {
                runOnly: {type: "tag", values: tags},
                rules: {"target-size": {enabled: true}},
                resultTypes: ["violations"],
            });
            return found.violations.map(({id, nodes}) => {
                const checks = nodes.flatMap(({any, all, none}) => [...any, ...all, ...none]);
                const why = [...new Set(checks.map(({message}) => message))];
                return [id, ...nodes.map(({target}) => target.flat().join(" ")), ...why].join("; ");
            });
        }""",
        TAGS,
    )


def is_fine_in_every_theme(page: Page, languages: list[str] = LANGUAGES[:1]) -> None:
    found = {}
    for language in languages:
        dress(page, language=language)
        for theme in THEMES:
            dress(page, theme=theme)
            if against := findings(page):
                found[f"{theme} {language}"] = against
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)


@pytest.fixture
def shows(visit):
    """Open a URL in a window without transitions: colours are what they'll be."""
    return lambda url, **options: visit(
        url, **{"reduced_motion": "reduce", "viewport": DESKTOP, **options}
    )


@pytest.fixture
def join():
    """Have a person come into the room of an address, by name."""
    people = []

    def join(address: str, name: str) -> Person:
        url, room = address.split("/r/")
        person = Person(url, "websocket")
        people.append(person)
        assert person.sets(name)["ok"]
        assert person.says("join", {"room": room})["ok"]
        return person

    yield join
    for person in people:
        person.leaves()


def tell(person: Person, address: str, *messages: str) -> None:
    for message in messages:
        answer = person.says("msg", {"room": address.split("/r/")[1], "message": message})
        assert answer["ok"], answer


def type_on(page: Page, person: Person, address: str) -> None:
    person.emits("typing", {"room": address.split("/r/")[1]})
    expect(page.locator("#typing")).not_to_be_empty()


def go_to(page: Page, room: str) -> None:
    """Also where the list of rooms is in a drawer."""
    link = page.locator(f"#room-list a[data-room={room}]")
    link.evaluate("link => link.click()")
    expect(link).to_have_attribute("aria-current", "page")


@pytest.fixture
def lively(shows, join, serve):
    """Open a room in which all has happened that can; its window, its address, and who is there."""

    def lively(**options) -> tuple[Page, str, Person]:
        address = f"{serve('gunicorn', **FEW).url}/r/lively-{next(numbers)}"
        bo = join(address, "Bo")
        page = shows(address, **options)
        enter(page, "Ann")
        expect(page.locator("#message")).to_be_visible()
        say(page, "Hello **Bo**, `x` it is")
        expect(texts(page)).to_have_count(1)
        say(page, "\u200b")
        expect(unsent(page)).to_have_class(re.compile("failed"))
        go_to(page, "lobby")
        tell(bo, address, "@Ann look: https://example.org/a?b=c", "> so they said\nthey did")
        tell(bo, address, f"```\n{'code ' * 40}\n```", LONG)
        join(address, "Cy")
        room = address.split("/r/")[1]
        unread = page.locator(f"#room-list a[data-room={room}] .badge.unread [aria-hidden]")
        expect(unread).to_have_text("4")
        go_to(page, room)
        expect(page.locator(".row.new")).to_have_count(1)
        for n in range(4):
            say(page, f"my words {n}")
        expect(unsent(page).filter(has_text="Sending…")).to_have_count(1)
        expect(unsent(page).filter(has_text="Waiting for")).not_to_have_count(0)
        for part in (".own", "mark", ".code", "blockquote", ".text a", ".folded", ".day"):
            expect(page.locator(f"#message-container {part}")).not_to_have_count(0)
        expect(page.locator("#message-container .note").last).to_contain_text("Cy")
        return page, address, bo

    return lively


# Axe


def test_the_start_page(shows, url):
    is_fine_in_every_theme(shows(url))


def test_the_start_page_with_rooms_and_a_bad_name_of_one(shows, room):
    page = shows(room)
    enter(page, "Ann")
    expect(page.locator("#message")).to_be_visible()
    page.locator("a.brand").click()
    expect(page.locator(".your-rooms li")).to_have_count(1)
    page.locator("#open-room").fill("a room?")
    page.locator("#open-room").press("Enter")
    expect(page.locator("#open-room-error")).not_to_be_empty()
    is_fine_in_every_theme(page)


def test_the_lobby_read_without_a_name(shows, join, url):
    tell(join(f"{url}/r/lobby", "Bo Lobby"), f"{url}/r/lobby", "Anyone here?")
    page = shows(f"{url}/r/lobby")
    expect(messages(page)).not_to_have_count(0)
    is_fine_in_every_theme(page)


def test_a_room_that_asks_for_a_name_and_refuses_one(shows, room):
    page = shows(room)
    enter(page, "a\u200bb")
    expect(page.locator("#error-container")).not_to_be_empty()
    is_fine_in_every_theme(page)


def test_an_empty_room(shows, room):
    page = shows(room)
    enter(page, "Ann")
    expect(page.locator("#empty")).to_contain_text("first one here")
    is_fine_in_every_theme(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lively_room(lively, language):
    page, address, bo = lively()
    type_on(page, bo, address)
    is_fine_in_every_theme(page, [language])


def test_a_lively_room_scrolled_up_with_more_below(lively, join):
    page, address, _ = lively(viewport=PHONE)
    page.locator("#message-container").evaluate("list => list.scrollTo(0, 0)")
    expect(page.locator(".below")).to_be_visible()
    tell(join(address, "Di"), address, "more")
    expect(page.locator(".below")).to_contain_text("1 new message")
    is_fine_in_every_theme(page)


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_a_drawer_of_a_small_window(lively, join, drawer):
    page, address, _ = lively(viewport=PHONE)
    if drawer == "rooms":
        go_to(page, "lobby")
        tell(join(address, "Di"), address, "unread, @Ann")
    page.locator(f"#show-{drawer}").click()
    expect(page.locator(f"#{drawer}")).to_be_visible()
    if drawer == "rooms":
        expect(page.locator("#room-list .badge")).to_have_count(2)
    is_fine_in_every_theme(page)


def test_the_settings_with_people_ignored(shows, room):
    page = shows(room)
    dress(page, ignored=["Bo", "Cy"])
    page.locator("#show-settings").click()
    expect(page.locator("#settings li")).to_have_count(2)
    is_fine_in_every_theme(page, LANGUAGES)


def test_another_name_that_is_refused(shows, join, room):
    join(room, "Bo")
    page = shows(room)
    enter(page, "Ann")
    page.locator("#change-name").click()
    page.locator("#new-name").fill("bo")
    page.locator("#new-name").press("Enter")
    expect(page.locator("#rename-error")).not_to_be_empty()
    is_fine_in_every_theme(page)


def test_chatting_in_another_tab(shows, room):
    page = shows(room)
    enter(page, "Ann")
    expect(page.locator("#message")).to_be_visible()
    second = page.context.new_page()
    second.goto(room)
    second.wait_for_selector("body.is-ready")
    enter(second, "Ann")
    expect(page.locator("#away")).to_be_visible()
    is_fine_in_every_theme(page)


def test_what_went_wrong_and_a_connection_that_is_lost(shows, room):
    page = shows(room)
    enter(page, "Ann")
    page.locator("#copy-link").click()
    expect(page.locator(".trouble")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#connection button")).to_be_visible()
    is_fine_in_every_theme(page)


# Zoom, small windows, touch


def fits(page: Page) -> None:
    width, wanted = page.evaluate(
        "[document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    assert wanted <= width
    past = page.evaluate(
        """() => [...document.querySelectorAll("main button, main input, main textarea, header *")]
            .filter((element) => element.checkVisibility() && !element.closest(".unseen, pre"))
            .map((element) => [element, element.getBoundingClientRect()])
            .filter(([, {left, right}]) => left < -1 || right > innerWidth + 1)
            .map(([element]) => element.outerHTML.slice(0, 80))"""
    )
    assert past == []


def test_all_fits_at_twice_the_size_with_the_largest_text(lively):
    page, _, _ = lively(viewport={"width": 640, "height": 400})
    dress(page, size="huge")
    fits(page)
    send = page.locator("#message-form .send")
    expect(send).to_be_in_viewport(ratio=1)
    expect(page.locator("#message")).to_be_in_viewport(ratio=1)
    list_height = page.locator("#message-container").evaluate("list => list.clientHeight")
    assert list_height >= 60, "there's no room left to read"
    page.locator("#show-rooms").click()
    page.locator("#show-settings").click()
    fits(page)
    close = page.locator("#settings .dialog-foot button")
    close.scroll_into_view_if_needed()
    expect(close).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("size", ["normal", "huge"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_all_fits_in_320_px(lively, language, size):
    page, _, _ = lively(viewport={"width": 320, "height": 568})
    dress(page, language=language, size=size)
    for theme in THEMES:
        dress(page, theme=theme)
        fits(page)
        expect(page.locator("#message-form .send")).to_be_in_viewport(ratio=1)


SMALL_TARGETS = """() => {
    const isTarget = (element) => element.checkVisibility() && !element.matches(".skip, .text a");
    const sizeOf = (element) => {
        const boxes = element.type === "checkbox" ? [element, ...element.labels] : [element];
        const rects = boxes.map((box) => box.getBoundingClientRect());
        const most = (side) => Math.max(...rects.map((rect) => rect[side]));
        const least = (side) => Math.min(...rects.map((rect) => rect[side]));
        return [most("right") - least("left"), most("bottom") - least("top")];
    };
    return [...document.querySelectorAll("a, button, input, select, textarea")]
        .filter(isTarget)
        .map((element) => ({element, size: sizeOf(element)}))
        .filter(({size}) => Math.min(...size) < 23.99)
        .map(({element, size}) => `${element.outerHTML.slice(0, 90)} ${size}`);
}"""
"""Targets of less than 24 by 24 px (2.5.8), those within a sentence aside; a label is its box's."""


@pytest.mark.parametrize("size", ["normal", "small"])
def test_targets_are_large_enough_to_be_hit(lively, size):
    page, _, _ = lively(viewport=PHONE, has_touch=True)
    dress(page, size=size, ignored=["Cy"])
    small = set(page.evaluate(SMALL_TARGETS))
    page.locator(".folded + button").first.evaluate("button => button.click()")
    page.locator("#copy-link").click()
    expect(page.locator(".trouble")).to_be_visible()
    for drawer in ("people", "rooms"):
        page.locator(f"#show-{drawer}").click()
        small |= set(page.evaluate(SMALL_TARGETS))
        page.keyboard.press("Escape")
    page.locator("#show-rooms").click()
    page.locator("#show-settings").click()
    small |= set(page.evaluate(SMALL_TARGETS))
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('a.brand').click()")
    expect(page.locator("#start")).to_be_visible()
    small |= set(page.evaluate(SMALL_TARGETS))
    assert small == set()


# Motion, colours, focus


def test_nothing_moves_for_whom_that_is_too_much(lively):
    page, _, _ = lively()
    moving = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((element) => {
            const parts = ["", "::before", "::after"];
            const styles = parts.map((part) => getComputedStyle(element, part));
            return styles.some((style) => /[1-9]/.test(style.transitionDuration)
                || style.animationName !== "none" || style.scrollBehavior !== "auto");
        }).map((element) => element.outerHTML.slice(0, 80))"""
    )
    assert moving == []


def focuses(page: Page) -> list[dict]:
    """What Tab comes to, once around the page, and what is to be seen of the focus."""
    found: list[dict] = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
                const element = document.activeElement;
                if (element === document.body) return "the end";
                if (element.dataset.visited) return null;
                element.dataset.visited = "yes";
                const {outlineStyle, outlineWidth, outlineColor} = getComputedStyle(element);
                const {left, right, top, bottom} = element.getBoundingClientRect();
                const [x, y] = [(Math.max(left, 0) + Math.min(right, innerWidth)) / 2,
                    (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
                const over = document.elementFromPoint(x, y);
                return {
                    what: element.outerHTML.slice(0, 90),
                    outline: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2
                        && !/^rgba.*, 0\\)$/.test(outlineColor),
                    visible: element.checkVisibility(
                        {opacityProperty: true, visibilityProperty: true}),
                    free: over !== null && (element.contains(over) || over.contains(element)),
                };
            }"""
        )
        if focus is None:
            break
        if focus != "the end":
            found.append(focus)
    page.evaluate(
        "document.querySelectorAll('[data-visited]').forEach((each) => delete each.dataset.visited)"
    )
    return found


def seen(focuses: list[dict]) -> list[str]:
    return [
        f"{focus['what']}: not {name}"
        for focus in focuses
        for name in ("outline", "visible", "free")
        if not focus[name]
    ]


@pytest.mark.parametrize("theme", THEMES)
def test_the_focus_is_always_to_be_seen(lively, theme):
    page, _, _ = lively()
    dress(page, theme=theme)
    found = focuses(page)
    assert len(found) > 15
    assert seen(found) == []


def test_the_focus_is_to_be_seen_on_the_start_page(shows, url):
    found = focuses(shows(url, viewport=PHONE))
    assert len(found) > 4
    assert seen(found) == []


def test_the_focus_is_to_be_seen_in_a_long_list_of_rooms(shows, room):
    page = shows(room, viewport={"width": 1000, "height": 400})
    rooms = {f"room-of-many-{n}": {"read": 0} for n in range(20)}
    page.evaluate("all => localStorage.setItem('chat.rooms', JSON.stringify(all))", {"ann": rooms})
    enter(page, "Ann")
    expect(page.locator("#room-list li")).to_have_count(22)
    found = focuses(page)
    assert len(found) > 22
    assert seen(found) == []


def test_the_focus_is_to_be_seen_in_the_settings(shows, room):
    page = shows(room)
    dress(page, ignored=["Bo"])
    page.locator("#show-settings").click()
    found = focuses(page)
    assert len(found) > 8
    assert seen(found) == []


def test_buttons_and_focus_are_to_be_seen_in_forced_colours(lively):
    page, _, _ = lively(forced_colors="active")
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    plain = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, input, textarea")]
            .filter((element) => {
                const style = getComputedStyle(element);
                const hasBorder = style.borderTopStyle !== "none" && style.borderTopWidth !== "0px"
                    && !/^rgba.*, 0\\)$/.test(style.borderTopColor);
                const isUnderlined = style.textDecorationLine === "underline";
                return element.checkVisibility() && !hasBorder && !isUnderlined;
            })
            .map((element) => element.outerHTML.slice(0, 90))"""
    )
    assert plain == []
    found = focuses(page)
    assert len(found) > 15
    assert [each["what"] for each in found if not each["outline"]] == []


def test_what_is_chosen_is_told_by_more_than_its_colour(lively):
    page, _, _ = lively(forced_colors="active")
    weights = page.locator("#room-list a").evaluate_all(
        "links => links.map((link) => getComputedStyle(link).fontWeight)"
    )
    assert len(set(weights)) == 2
    mute = page.locator("#mute")
    drawn = mute.inner_html()
    mute.click()
    expect(mute).to_have_attribute("aria-pressed", "true")
    assert mute.inner_html() != drawn


# Announcements


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
        bo.emits("msg", {"room": room.split("/r/")[1], "message": f"flood {n}"})
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
    page.locator("#message-container").evaluate("list => list.scrollTo(0, 0)")
    expect(texts(page).filter(has_text=re.compile("^old 0$"))).to_have_count(1)
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
