"""Test that the page works with damaged, full or forbidden storage, and reports it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import enter_name, message_texts, send, windows

STORAGE_ALERT = "This browser keeps nothing for this page: your name and settings last"

ALONE = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
LOCAL = ["chat.settings", "chat.names", "chat.rooms"]
SESSION = ["chat.me", "chat.drafts", "chat.unsent"]
LONG = "w" * 500_000
WRONG_INSIDE = {
    "chat.settings": {"theme": 1, "size": {}, "language": [], "sound": "yes", "ignored": [1, None]},
    "chat.names": {"ann": 1, "bo": None, "cy": {"name": "Cy", "token": 5, "at": "never"}},
    "chat.rooms": {
        "ann": {"tea": None, "<b>": {}, "cake": {"read": "x", "epoch": 1, "muted": "y"}}
    },
    "chat.me": {"name": ["Ann"], "tab": 5},
    "chat.drafts": {"lobby": {"text": 1}, "tea": None},
    "chat.unsent": [1, None, [], {"room": "lobby", "message": 1, "key": "12345678"}],
}
NAMES_OF_OBJECTS = {
    "chat.settings": {"toString": 1, "constructor": "x", "valueOf": []},
    "chat.names": {"constructor": {}, "toString": []},
    "chat.rooms": {"ann": {"constructor": {}, "to-string": []}, "constructor": {"tea": {}}},
    "chat.me": {"toString": 1},
    "chat.drafts": {"constructor": 1},
    "chat.unsent": [{"toString": 1}],
}
TOO_MUCH = {
    "chat.settings": {"theme": LONG, "ignored": [LONG]},
    "chat.names": {"w": {"name": LONG, "token": LONG, "at": 1}},
    "chat.rooms": {"ann": {f"room-{n}": {"read": 1, "epoch": "x"} for n in range(300)}},
    "chat.me": {"name": LONG, "tab": LONG},
    "chat.drafts": {"lobby": LONG},
    "chat.unsent": [{"room": "lobby", "message": LONG, "key": "12345678"}],
}
PROTO = {
    key: f'{{"__proto__": {{"{key}": 1}}, "ann": {{"__proto__": null}}}}' for key in LOCAL + SESSION
}


def same(text: str) -> dict[str, str]:
    return dict.fromkeys([*LOCAL, *SESSION], text)


def as_json(kept: dict) -> dict[str, str]:
    return {key: json.dumps(value) for key, value in kept.items()}


DAMAGE = {
    "no JSON": same("{"),
    "null": same("null"),
    "wrong inside": as_json(WRONG_INSIDE),
    "names of objects": as_json(NAMES_OF_OBJECTS),
    "prototypes": PROTO,
}

FULL = """
Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
"""
FORBIDDEN = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, {
    get() { throw new DOMException("forbidden", "SecurityError"); },
  });
}
"""


@pytest.fixture
def lobby(url) -> str:
    return f"{url}/r/lobby"


@pytest.fixture
def visit_with(browser):
    """Open a URL in a window that runs a script first. Errors of the page fail the test."""
    errors: list[str] = []
    with windows(browser) as open_window:

        def visit(url: str, script: str) -> Page:
            page = open_window()
            page.add_init_script(script)
            return open_page(page, url, errors)

        yield visit
    assert errors == []


def open_page(page: Page, url: str, errors: list[str]) -> Page:
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector("body.is-ready", timeout=10000)
    return page


def damaged(visit, url: str, kept: dict[str, str]) -> Page:
    """Open the page in a browser with these stored texts."""
    page = visit(url)
    page.goto(url.partition("/r/")[0] + "/healthz")
    page.evaluate(
        """([kept, local]) => {
          localStorage.clear();
          sessionStorage.clear();
          for (const [key, text] of Object.entries(kept)) {
            (local.includes(key) ? localStorage : sessionStorage).setItem(key, text);
          }
        }""",
        [kept, LOCAL],
    )
    page.goto(url)
    page.wait_for_selector("body.is-ready", timeout=10000)
    return page


def choose_theme(page: Page, theme: str) -> None:
    page.locator("#show-settings").click()
    page.locator("#setting-theme").select_option(theme)
    page.locator("#settings").get_by_role("button", name="Close").click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def expect_working(page: Page, name: str, words: str) -> None:
    """Expect that names, messages and settings work."""
    enter_name(page, name)
    send(page, words)
    expect(message_texts(page).last).to_have_text(words)
    choose_theme(page, "dark")


def expect_values_last(page: Page, name: str) -> None:
    """Expect that values last as long as the page."""
    page.locator("#rooms [data-home]").click()
    page.locator("#open-room").fill("tea")
    page.locator("#open-room").press("Enter")
    expect(page.locator("#message")).to_be_visible()
    expect(page.locator("#own-name")).to_have_text(name)
    page.locator("#message").fill("a draft")
    page.locator("#room-list [data-room=lobby]").click()
    expect(page.locator("#message")).to_have_value("")
    page.locator("#room-list [data-room=tea]").click()
    expect(page.locator("#message")).to_have_value("a draft")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("#show-settings").click()
    expect(page.locator("#setting-theme")).to_have_value("dark")
    page.keyboard.press("Escape")


def expect_one_storage_alert(page: Page) -> None:
    expect(page.locator("#troubles .trouble")).to_have_count(1)
    expect(page.locator("#troubles")).to_contain_text(STORAGE_ALERT)
    page.locator("#troubles").get_by_role("button", name="Dismiss").click()
    expect(page.locator("#troubles .trouble")).to_have_count(0)


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_storage_is_replaced(visit, lobby, kind):
    page = damaged(visit, lobby, DAMAGE[kind])
    expect_working(page, "Ann", f"in spite of {kind}")
    expect(page.locator("#troubles .trouble")).to_have_count(0)
    page.reload()
    expect(page.locator("#own-name")).to_have_text("Ann")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#message")).to_be_visible()


def test_oversized_storage_does_not_break_the_page(visit, lobby):
    page = damaged(visit, lobby, as_json(TOO_MUCH))
    expect(page.locator("#message-counter")).not_to_be_empty()
    expect_working(page, "Ann", "in spite of the size")
    expect(page.locator("#connection")).to_contain_text("Connected")
    assert page.locator("#room-list li").count() <= 50
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_inherited_property_is_a_valid_name(visit, lobby):
    name = "__proto__"
    page = visit(lobby)
    expect_working(page, name, f"I am {name}")
    page.reload()
    expect(page.locator("#own-name")).to_have_text(name)
    send(page, "again")
    expect(message_texts(page).last).to_have_text("again")


@pytest.mark.parametrize("script", [FULL, FORBIDDEN], ids=["full", "forbidden"])
def test_values_last_as_long_as_the_page_without_storage(visit_with, lobby, script):
    page = visit_with(lobby, script)
    expect_one_storage_alert(page)
    expect_working(page, "Ann", "kept nowhere")
    expect_values_last(page, "Ann")
    expect(page.locator("#troubles .trouble")).to_have_count(0)


def test_storage_that_fills_up_later(visit, lobby):
    page = visit(lobby)
    expect_working(page, "Ann", "there's room")
    expect(page.locator("#troubles .trouble")).to_have_count(0)
    page.evaluate("() => {" + FULL + "}")
    page.locator("#message").fill("there's none")
    expect(page.locator("#troubles .trouble")).to_have_count(1)  # about the draft
    page.get_by_role("button", name="Send").click()
    expect(message_texts(page).last).to_have_text("there's none")
    expect_one_storage_alert(page)
    expect_values_last(page, "Ann")
    expect(page.locator("#troubles .trouble")).to_have_count(0)


def test_page_works_with_cookies_off(playwright, lobby, tmp_path):
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    off = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    Path(preferences).write_text(json.dumps(off))
    context = playwright.chromium.launch_persistent_context(
        tmp_path, executable_path=shutil.which("chromium"), args=ALONE
    )
    errors: list[str] = []
    page = open_page(context.new_page(), lobby, errors)
    assert page.evaluate(
        "(() => { try { localStorage; } catch ({ name }) { return name; } })()"
    ) == ("SecurityError")
    expect_one_storage_alert(page)
    expect_working(page, "Ann", "no cookies")
    expect_values_last(page, "Ann")
    expect(page.locator("#troubles .trouble")).to_have_count(0)
    context.close()
    assert errors == []
