"""People talk: in windows of a real browser, over each kind of server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from support.browser.windows import enter, messages, names_here, say, texts
from support.chaos.load import Client
from support.servers import KINDS, UNLIMITED


@pytest.mark.parametrize("kind", KINDS)
def test_two_windows_chat(visit, serve, kind):
    url = serve(kind, **UNLIMITED, NAME_HOLD="0.05").url + "/r/lobby"
    ann, bo = visit(url), visit(url)
    enter(ann, "Ann")
    expect(ann.locator("#message")).to_be_visible()
    enter(bo, "ann")
    expect(bo.locator("#error-container")).to_have_text(
        "ann username is taken! Try some other username."
    )
    enter(bo, "Bo")
    expect(bo.locator("#error-container")).to_be_empty()
    expect(ann.locator("#people-title")).to_have_text("2 people here")
    say(ann, "Hello")
    bo.locator("#message").fill("Hi\nthere")
    bo.locator("#message").press("Enter")
    for page in (ann, bo):
        items = messages(page)
        expect(items.nth(-2)).to_contain_text(re.compile(r"Ann.*\d.*Hello", re.S))
        expect(items.last).to_contain_text("Bo")
        expect(items.last.locator("p")).to_have_text("Hi\nthere", use_inner_text=True)
        expect(items.last.locator("time")).to_have_attribute("datetime", re.compile("Z$"))
    expect(bo.locator("#message")).to_be_empty()
    bo.context.close()
    expect(ann.locator("#people-title")).to_have_text("1 person here")
    ann.context.close()


def test_text_is_never_markup(visit, room):
    ann = visit(room)
    evil = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"
    enter(ann, "<i>Eve</i>")
    say(ann, evil)
    item = messages(ann).last
    expect(item.locator(".text")).to_have_text(evil)
    expect(item.locator(".sender bdi")).to_have_text("<i>Eve</i>")
    assert item.locator("img, script, i").count() == 0
    assert "evil" not in ann.title()


def test_a_name_that_is_refused_is_refused_in_words(visit, room):
    ann = visit(room)
    enter(ann, "a\u200bb")
    expect(ann.locator("#error-container")).to_contain_text("U+200B")
    expect(ann.locator("#name")).to_have_attribute("aria-invalid", "true")
    enter(ann, "Ann")
    expect(ann.locator("#message")).to_be_visible()


def test_who_comes_later_sees_what_was_said(visit, serve):
    url = serve("gunicorn", **UNLIMITED, TITLE="Later").url + "/r/lobby"
    ann = visit(url)
    enter(ann, "Ann")
    for n in range(3):
        say(ann, f"message {n}")
        expect(messages(ann)).to_have_count(n + 1)
    bo = visit(url)
    expect(texts(bo)).to_have_text([f"message {n}" for n in range(3)])
    enter(bo, "Bo")
    expect(texts(bo)).to_have_text([f"message {n}" for n in range(3)])
    assert bo.title() == "Lobby · Later"


def test_who_is_here_is_always_up_to_date(visit, room):
    ann, bo = visit(room), visit(room)
    enter(ann, "Ann")
    enter(bo, "bo")
    expect(names_here(ann)).to_have_text(["Ann", "bo"])
    say(ann, "hello")
    expect(texts(bo)).to_have_text(["hello"])
    bo.locator("#change-name").click()
    bo.locator("#new-name").fill("ann")
    bo.locator("#rename").get_by_role("button", name="Save").click()
    expect(bo.locator("#rename-error")).to_contain_text("is taken")
    bo.locator("#new-name").fill("Zoë")
    bo.locator("#rename").get_by_role("button", name="Save").click()
    expect(bo.locator("#rename")).to_be_hidden()
    for page in (ann, bo):
        expect(names_here(page)).to_have_text(["Ann", "Zoë"])
    expect(ann.locator(".note").last).to_have_text(re.compile("bo.* is now .*Zoë"))
    say(bo, "renamed")
    expect(messages(ann).last).to_contain_text("Zoë")
    bo.context.close()
    expect(names_here(ann)).to_have_text(["Ann"])


def test_who_came_and_went_is_told_in_one_line(visit, room):
    ann = visit(room)
    enter(ann, "Ann")
    expect(ann.locator("#message")).to_be_visible()
    for name in ("Bo", "Cy", "Di", "Ed", "Flo"):
        enter(visit(room), name)
        expect(names_here(ann).filter(has_text=name)).to_be_visible()
    notes = ann.locator("#message-container .note")
    expect(notes.last).to_have_text(re.compile("Bo.*, .*Cy.*, .*Di.*, and 2 others.* joined"))
    expect(notes).to_have_count(2)  # with the conversation's beginning


def test_who_types_is_shown_for_a_while(visit, room):
    ann, bo = visit(room), visit(room)
    enter(ann, "Ann")
    enter(bo, "Bo")
    expect(names_here(ann)).to_have_count(2)
    bo.locator("#message").press_sequentially("hm")
    expect(ann.locator("#typing")).to_have_text(re.compile("Bo.* is typing…"))
    expect(bo.locator("#typing")).to_be_empty()
    expect(ann.locator("#typing")).to_be_empty(timeout=10000)
    bo.locator("#message").fill("")
    bo.locator("#message").press_sequentially("again, and said")
    bo.locator("#message").press("Enter")
    expect(messages(ann).last).to_contain_text("again, and said")
    expect(ann.locator("#typing")).to_be_empty()


def test_a_narrow_window_shows_all(visit, room):
    page = visit(room, viewport={"width": 320, "height": 500})
    enter(page, "Narrow")
    say(page, "w" * 200)
    expect(messages(page).last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()


def test_a_crowd_is_shown_as_a_count(visit, serve, room):
    server, name = serve("gunicorn", **UNLIMITED, NAME_HOLD="0.05"), room.rpartition("/")[2]
    ann = visit(room)
    enter(ann, "Ann")
    expect(ann.locator("#people-title")).to_have_text("1 person here")
    crowd = [Client(server, f"Fan {n}") for n in range(200)]
    for fan in crowd:
        fan.call("join", {"room": name})
    expect(ann.locator("#people-title")).to_have_text("201 people here")
    expect(ann.locator("#people-crowd")).to_have_text("Too many to list all")
    expect(names_here(ann)).to_have_count(0)
    for fan in crowd:
        fan.socket.close()
    expect(names_here(ann)).to_have_text(["Ann"])
