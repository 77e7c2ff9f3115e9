"""Check each screen in each theme with axe (WCAG 2.2, level AA)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser.screens import (
    LANGUAGES,
    PHONE,
    THEMES,
    apply_settings,
    send_as,
    show_typing,
    switch_room,
)
from support.browser.windows import enter_name, messages

AXE = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def findings(page: Page) -> list[str]:
    """Return the violations that axe finds on the page."""
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
        apply_settings(page, language=language)
        for theme in THEMES:
            apply_settings(page, theme=theme)
            if against := findings(page):
                found[f"{theme} {language}"] = against
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)


def test_start_page_is_accessible(visit_still, url):
    is_fine_in_every_theme(visit_still(url))


def test_start_page_with_rooms_and_a_bad_room_name_is_accessible(visit_still, room):
    page = visit_still(room)
    enter_name(page, "Ann")
    expect(page.locator("#message")).to_be_visible()
    page.locator("a.brand").click()
    expect(page.locator(".your-rooms li")).to_have_count(1)
    page.locator("#open-room").fill("a room?")
    page.locator("#open-room").press("Enter")
    expect(page.locator("#open-room-error")).not_to_be_empty()
    is_fine_in_every_theme(page)


def test_lobby_without_a_name_is_accessible(visit_still, join, url):
    send_as(join(f"{url}/r/lobby", "Bo Lobby"), f"{url}/r/lobby", "Anyone here?")
    page = visit_still(f"{url}/r/lobby")
    expect(messages(page)).not_to_have_count(0)
    is_fine_in_every_theme(page)


def test_refused_name_in_a_room_is_accessible(visit_still, room):
    page = visit_still(room)
    enter_name(page, "a\u200bb")
    expect(page.locator("#error-container")).not_to_be_empty()
    is_fine_in_every_theme(page)


def test_empty_room_is_accessible(visit_still, room):
    page = visit_still(room)
    enter_name(page, "Ann")
    expect(page.locator("#empty")).to_contain_text("first one here")
    is_fine_in_every_theme(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_busy_room_is_accessible(busy_room, language):
    page, address, bo = busy_room()
    show_typing(page, bo, address)
    is_fine_in_every_theme(page, [language])


def test_room_scrolled_up_with_new_messages_is_accessible(busy_room, join):
    page, address, _ = busy_room(viewport=PHONE)
    page.locator("#message-container").evaluate("list => list.scrollTo(0, 0)")
    expect(page.locator(".below")).to_be_visible()
    send_as(join(address, "Di"), address, "more")
    expect(page.locator(".below")).to_contain_text("1 new message")
    is_fine_in_every_theme(page)


@pytest.mark.parametrize("drawer", ["rooms", "people"])
def test_drawer_of_a_small_window_is_accessible(busy_room, join, drawer):
    page, address, _ = busy_room(viewport=PHONE)
    if drawer == "rooms":
        switch_room(page, "lobby")
        send_as(join(address, "Di"), address, "unread, @Ann")
    page.locator(f"#show-{drawer}").click()
    expect(page.locator(f"#{drawer}")).to_be_visible()
    if drawer == "rooms":
        expect(page.locator("#room-list .badge")).to_have_count(2)
    is_fine_in_every_theme(page)


def test_settings_with_ignored_users_are_accessible(visit_still, room):
    page = visit_still(room)
    apply_settings(page, ignored=["Bo", "Cy"])
    page.locator("#show-settings").click()
    expect(page.locator("#settings li")).to_have_count(2)
    is_fine_in_every_theme(page, LANGUAGES)


def test_refused_rename_is_accessible(visit_still, join, room):
    join(room, "Bo")
    page = visit_still(room)
    enter_name(page, "Ann")
    page.locator("#change-name").click()
    page.locator("#new-name").fill("bo")
    page.locator("#new-name").press("Enter")
    expect(page.locator("#rename-error")).not_to_be_empty()
    is_fine_in_every_theme(page)


def test_away_dialog_is_accessible(visit_still, room):
    page = visit_still(room)
    enter_name(page, "Ann")
    expect(page.locator("#message")).to_be_visible()
    second = page.context.new_page()
    second.goto(room)
    second.wait_for_selector("body.is-ready")
    enter_name(second, "Ann")
    expect(page.locator("#away")).to_be_visible()
    is_fine_in_every_theme(page)


def test_alert_and_lost_connection_are_accessible(visit_still, room):
    page = visit_still(room)
    enter_name(page, "Ann")
    page.locator("#copy-link").click()
    expect(page.locator(".trouble")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#connection button")).to_be_visible()
    is_fine_in_every_theme(page)
