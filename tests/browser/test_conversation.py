"""Test conversations between windows of a browser, over each kind of server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from support.browser.windows import enter_name, message_texts, messages, send, user_names
from support.chaos.load import Client
from support.servers import KINDS, UNLIMITED


@pytest.mark.parametrize("kind", KINDS)
def test_two_windows_chat(visit, serve, kind):
    url = serve(kind, **UNLIMITED, NAME_HOLD="0.05").url + "/r/lobby"
    ann, bo = visit(url), visit(url)
    enter_name(ann, "Ann")
    expect(ann.locator("#message")).to_be_visible()
    enter_name(bo, "ann")
    expect(bo.locator("#error-container")).to_have_text(
        "ann username is taken! Try some other username."
    )
    enter_name(bo, "Bo")
    expect(bo.locator("#error-container")).to_be_empty()
    expect(ann.locator("#people-title")).to_have_text("2 people here")
    send(ann, "Hello")
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


def test_later_visitor_sees_earlier_messages(visit, url, room):
    prefix = room.rpartition("/")[2]
    ann = visit(f"{url}/r/lobby")
    enter_name(ann, "Ann")
    for n in range(3):
        send(ann, f"{prefix} {n}")
    expect(message_texts(ann).filter(has_text=prefix)).to_have_count(3)
    bo = visit(f"{url}/r/lobby")
    earlier = message_texts(bo).filter(has_text=prefix)
    expect(earlier).to_have_text([f"{prefix} {n}" for n in range(3)])
    enter_name(bo, "Bo")
    expect(earlier).to_have_text([f"{prefix} {n}" for n in range(3)])
    expect(bo).to_have_title(re.compile("Lobby · Chat$"))


def test_user_list_follows_joins_renames_and_departures(visit, room):
    ann, bo = visit(room), visit(room)
    enter_name(ann, "Ann")
    enter_name(bo, "bo")
    expect(user_names(ann)).to_have_text(["Ann", "bo"])
    send(ann, "hello")
    expect(message_texts(bo)).to_have_text(["hello"])
    bo.locator("#change-name").click()
    bo.locator("#new-name").fill("ann")
    bo.locator("#rename").get_by_role("button", name="Save").click()
    expect(bo.locator("#rename-error")).to_contain_text("is taken")
    bo.locator("#new-name").fill("Zoë")
    bo.locator("#rename").get_by_role("button", name="Save").click()
    expect(bo.locator("#rename")).to_be_hidden()
    for page in (ann, bo):
        expect(user_names(page)).to_have_text(["Ann", "Zoë"])
    expect(ann.locator(".note").last).to_have_text(re.compile("bo.* is now .*Zoë"))
    send(bo, "renamed")
    expect(messages(ann).last).to_contain_text("Zoë")
    bo.context.close()
    expect(user_names(ann)).to_have_text(["Ann"])


def test_consecutive_joins_share_one_note(visit, room):
    ann = visit(room)
    enter_name(ann, "Ann")
    expect(ann.locator("#message")).to_be_visible()
    for name in ("Bo", "Cy", "Di", "Ed", "Flo"):
        enter_name(visit(room), name)
        expect(user_names(ann).filter(has_text=name)).to_be_visible()
    notes = ann.locator("#message-container .note")
    expect(notes.last).to_have_text(re.compile("Bo.*, .*Cy.*, .*Di.*, and 2 others.* joined"))
    expect(notes).to_have_count(2)  # with the conversation's beginning


def test_typing_user_is_shown_until_it_expires(visit, room):
    ann, bo = visit(room), visit(room)
    ann.clock.install()
    ann.goto(room)
    enter_name(ann, "Ann")
    enter_name(bo, "Bo")
    expect(user_names(ann)).to_have_count(2)
    bo.locator("#message").press_sequentially("hm")
    expect(ann.locator("#typing")).to_have_text(re.compile("Bo.* is typing…"))
    expect(bo.locator("#typing")).to_be_empty()
    ann.clock.fast_forward(6000)
    expect(ann.locator("#typing")).to_be_empty()
    bo.locator("#message").fill("")
    bo.locator("#message").press_sequentially("again, and said")
    bo.locator("#message").press("Enter")
    expect(messages(ann).last).to_contain_text("again, and said")
    expect(ann.locator("#typing")).to_be_empty()


def test_large_room_shows_a_count_instead_of_names(visit, serve, room):
    server, name = serve("gunicorn", **UNLIMITED, NAME_HOLD="0.05"), room.rpartition("/")[2]
    ann = visit(room)
    enter_name(ann, "Ann")
    expect(ann.locator("#people-title")).to_have_text("1 person here")
    crowd = [Client(server, f"Fan {n}") for n in range(200)]
    for fan in crowd:
        fan.call("join", {"room": name})
    expect(ann.locator("#people-title")).to_have_text("201 people here")
    expect(ann.locator("#people-crowd")).to_have_text("Too many to list all")
    expect(user_names(ann)).to_have_count(0)
    for fan in crowd:
        fan.socket.close()
    expect(user_names(ann)).to_have_text(["Ann"])
