"""Test rooms: addresses, separate conversations, unread counts, leaving."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from support.browser.windows import (
    enter_name,
    message_texts,
    messages,
    send,
    user_names,
    wait_until_connected,
    wait_until_disconnected,
)


def in_list(page: Page, room: str):
    return page.locator(f'#room-list a[data-room="{room}"]')


def test_room_names_ignore_case_and_invalid_ones_are_not_found(visit, url, browser):
    assert visit(url + "/r/Tea").url == url + "/r/tea"
    page = browser.new_page()
    assert page.goto(url + "/r/no%20room").status == 404
    page.close()


def test_rooms_have_separate_messages_and_users(visit, url):
    ann, bo, cy = visit(url + "/r/apart"), visit(url + "/r/apart"), visit(url + "/r/lobby")
    for person, name in ((ann, "Ann Tea"), (bo, "Bo Tea"), (cy, "Cy Lobby")):
        enter_name(person, name)
    send(ann, "in the room")
    expect(message_texts(bo)).to_have_text(["in the room"])
    expect(user_names(bo)).to_have_text(["Ann Tea", "Bo Tea"])
    send(cy, "in the lobby")
    expect(message_texts(cy).last).to_have_text("in the lobby")
    expect(cy.locator("#message-container", has_text="in the room")).to_have_count(0)
    expect(messages(ann)).to_have_count(1)


def test_unread_messages_in_other_rooms_are_counted(visit, room):
    other = room + "-b"
    name, other_name = room.rpartition("/")[2], other.rpartition("/")[2]
    ann, bo = visit(room), visit(room)
    enter_name(ann, "Ann Unread")
    enter_name(bo, "Bo")
    expect(user_names(ann)).to_have_count(2)
    ann.goto(other)
    expect(user_names(ann)).to_have_text(["Ann Unread"])
    send(bo, "one")
    send(bo, "two, @ann unread!")
    link = in_list(ann, name)
    expect(link.locator(".unread")).to_contain_text("2")
    expect(link.locator(".mention")).to_contain_text("1 mention of you")
    expect(ann).to_have_title(f"(2) {other_name} · Chat")
    expect(ann.locator("#icon")).to_have_attribute("href", re.compile("^data:image/svg"))
    link.click()
    expect(ann).to_have_url(room)
    expect(message_texts(ann)).to_have_text(["one", "two, @ann unread!"])
    expect(link.locator(".badge")).to_have_count(0)
    expect(ann).to_have_title(f"{name} · Chat")
    expect(ann.locator("#icon")).to_have_attribute("href", re.compile("icon.svg$"))
    ann.go_back()
    expect(ann).to_have_url(other)
    expect(ann.locator("#room-title")).to_have_text(other_name)
    ann.go_forward()
    expect(message_texts(ann)).to_have_count(2)


def test_unread_messages_survive_a_reload(visit, room):
    ann, bo = visit(room), visit(room)
    enter_name(ann, "Ann Away")
    enter_name(bo, "Bo")
    send(bo, "seen")
    expect(message_texts(ann)).to_have_text(["seen"])
    ann.locator("#rooms .brand").click()
    expect(ann.locator("#start")).to_be_visible()
    send(bo, "not seen")
    name = room.rpartition("/")[2]
    expect(in_list(ann, name).locator(".unread")).to_contain_text("1")
    ann.wait_for_timeout(400)  # longer than the page delays the write
    ann.reload()
    expect(in_list(ann, name).locator(".unread")).to_contain_text("1")
    in_list(ann, name).click()
    expect(ann.locator("#message-container .new")).to_be_visible()
    rows = ann.locator("#message-container > :is(.message, .new)")
    expect(rows.nth(1)).to_have_class(re.compile("new"))


def test_muted_room_is_not_counted_in_the_title(visit, room):
    name = room.rpartition("/")[2]
    ann, bo = visit(room), visit(room)
    enter_name(ann, "Ann Muted")
    enter_name(bo, "Bo")
    expect(user_names(ann)).to_have_count(2)
    ann.get_by_role("button", name="Mute this room").click()
    ann.goto(room + "-b")
    send(bo, "quiet")
    expect(in_list(ann, name).locator(".unread")).to_contain_text("1")
    expect(in_list(ann, name)).to_contain_text("muted")
    expect(ann).to_have_title(f"{name}-b · Chat")


def test_user_who_leaves_a_room_is_out_of_it(visit, room):
    ann, bo = visit(room), visit(room)
    enter_name(ann, "Ann")
    enter_name(bo, "Bo")
    expect(user_names(bo)).to_have_count(2)
    ann.get_by_role("button", name="Leave this room").click()
    expect(ann.locator("#start")).to_be_visible()
    expect(in_list(ann, room.rpartition("/")[2])).to_have_count(0)
    expect(user_names(bo)).to_have_text(["Bo"])
    expect(bo.locator(".note").last).to_have_text(re.compile("Ann.* left"))
    ann.goto(room.rpartition("/")[0] + "/lobby")
    expect(ann.get_by_role("button", name="Leave this room")).to_be_hidden()


def test_51st_room_is_refused_with_a_sentence(visit, room):
    ann = visit(room)
    enter_name(ann, "Ann Many")
    expect(user_names(ann)).to_have_text(["Ann Many"])
    ann.evaluate(
        """(room) => {
          for (let n = 0; n < 49; n += 1) {
            const link = Object.assign(document.createElement("a"), { href: `${room}-${n}` });
            link.dataset.room = `${room.split("/").at(-1)}-${n}`;
            document.body.append(link);
            link.click();
            link.remove();
          }
        }""",
        room,
    )
    expect(ann.locator("#empty")).to_contain_text("You are in 50 rooms, the most allowed")


def test_leaving_a_room_drops_its_unsent_messages(visit, room):
    ann = visit(room)
    enter_name(ann, "Ann Leaves")
    expect(user_names(ann)).to_have_count(1)
    ann.context.set_offline(True)
    wait_until_disconnected(ann)
    send(ann, "never")
    ann.get_by_role("button", name="Leave this room").click()
    ann.context.set_offline(False)
    wait_until_connected(ann)
    ann.go_back()
    send(ann, "now")
    expect(message_texts(ann)).to_have_text(["now"])


def test_rename_keeps_the_rooms_and_own_messages(visit, room):
    ann = visit(room)
    enter_name(ann, "Ann Before")
    send(ann, "mine")
    ann.locator("#change-name").click()
    ann.locator("#new-name").fill("Ann After")
    ann.locator("#rename").get_by_role("button", name="Save").click()
    expect(ann.locator("#own-name")).to_have_text("Ann After")
    expect(messages(ann)).to_have_class([re.compile(r"\bown\b")])
    ann.wait_for_timeout(500)  # longer than the page delays the write
    other = ann.context.new_page()
    other.goto(room.rpartition("/")[0] + "/lobby")
    enter_name(other, "Ann After")
    expect(in_list(other, room.rpartition("/")[2])).to_have_count(1)
