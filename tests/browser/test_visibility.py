"""Test that content, targets and focus are visible at any size and in any colours."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from support.browser.screens import (
    LANGUAGES,
    PHONE,
    THEMES,
    apply_settings,
)
from support.browser.windows import enter_name

MAX_TABS = 120


# Zoom, small windows, touch


def expect_fits(page: Page) -> None:
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


def test_everything_fits_at_twice_the_size_with_the_largest_text(busy_room):
    page, _, _ = busy_room(viewport={"width": 640, "height": 400})
    apply_settings(page, size="huge")
    expect_fits(page)
    send = page.locator("#message-form .send")
    expect(send).to_be_in_viewport(ratio=1)
    expect(page.locator("#message")).to_be_in_viewport(ratio=1)
    list_height = page.locator("#message-container").evaluate("list => list.clientHeight")
    assert list_height >= 60, "the list of messages is too low"
    page.locator("#show-rooms").click()
    page.locator("#show-settings").click()
    expect_fits(page)
    close = page.locator("#settings .dialog-foot button")
    close.scroll_into_view_if_needed()
    expect(close).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("size", ["normal", "huge"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_fits_in_320_px(busy_room, language, size):
    page, _, _ = busy_room(viewport={"width": 320, "height": 568})
    apply_settings(page, language=language, size=size)
    for theme in THEMES:
        apply_settings(page, theme=theme)
        expect_fits(page)
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
"""Find targets under 24 by 24 px (WCAG 2.2, 2.5.8), except links in text."""


@pytest.mark.parametrize("size", ["normal", "small"])
def test_targets_are_large_enough(busy_room, size):
    page, _, _ = busy_room(viewport=PHONE, has_touch=True)
    apply_settings(page, size=size, ignored=["Cy"])
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


def test_reduced_motion_has_no_motion(busy_room):
    page, _, _ = busy_room()
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
    """Press Tab once around the page; return how the focus of each element is visible."""
    found: list[dict] = []
    for _ in range(MAX_TABS):
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


def faults(focuses: list[dict]) -> list[str]:
    return [
        f"{focus['what']}: not {name}"
        for focus in focuses
        for name in ("outline", "visible", "free")
        if not focus[name]
    ]


@pytest.mark.parametrize("theme", THEMES)
def test_focus_is_visible_in_a_busy_room(busy_room, theme):
    page, _, _ = busy_room()
    apply_settings(page, theme=theme)
    found = focuses(page)
    assert len(found) > 15
    assert faults(found) == []


def test_focus_is_visible_on_the_start_page(visit_still, url):
    found = focuses(visit_still(url, viewport=PHONE))
    assert len(found) > 4
    assert faults(found) == []


def test_focus_is_visible_in_a_long_list_of_rooms(visit_still, room):
    page = visit_still(room, viewport={"width": 1000, "height": 400})
    rooms = {f"room-of-many-{n}": {"read": 0} for n in range(20)}
    page.evaluate("all => localStorage.setItem('chat.rooms', JSON.stringify(all))", {"ann": rooms})
    enter_name(page, "Ann")
    expect(page.locator("#room-list li")).to_have_count(22)
    found = focuses(page)
    assert len(found) > 22
    assert faults(found) == []


def test_focus_is_visible_in_the_settings(visit_still, room):
    page = visit_still(room)
    apply_settings(page, ignored=["Bo"])
    page.locator("#show-settings").click()
    found = focuses(page)
    assert len(found) > 8
    assert faults(found) == []


def test_buttons_and_focus_are_visible_in_forced_colours(busy_room):
    page, _, _ = busy_room(forced_colors="active")
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


def test_selection_is_shown_by_more_than_colour(busy_room):
    page, _, _ = busy_room(forced_colors="active")
    weights = page.locator("#room-list a").evaluate_all(
        "links => links.map((link) => getComputedStyle(link).fontWeight)"
    )
    assert len(set(weights)) == 2
    mute = page.locator("#mute")
    drawn = mute.inner_html()
    mute.click()
    expect(mute).to_have_attribute("aria-pressed", "true")
    assert mute.inner_html() != drawn
