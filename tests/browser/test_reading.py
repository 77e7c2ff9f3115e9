"""Test the rows of the conversation, and scrolling while messages arrive and load."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import enter_name, join_as, message_texts, messages, send
from support.chaos.load import Client
from support.servers import UNLIMITED


@pytest.fixture
def ann(visit, room) -> Page:
    page = visit(room)
    join_as(page, "Ann Reads")
    return page


@pytest.fixture
def writer(serve, room):
    """Return a client that sends messages, without a window."""
    client = Client(serve("gunicorn", **UNLIMITED, NAME_HOLD="0.05"), "Writer")
    client.room = room.rpartition("/")[2]
    client.call("join", {"room": client.room})
    yield client
    client.socket.close()


def send_many(client: Client, count: int, text: str = "message") -> None:
    for number in range(1, count + 1):
        client.call("msg", {"message": f"{text} {number}", "room": client.room})


def scroll(page: Page, by: int) -> None:
    page.evaluate(f"document.getElementById('message-container').scrollTop += {by}")


def distance_to_end(page: Page) -> int:
    return page.evaluate(
        "(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight)"
        "(document.getElementById('message-container'))"
    )


def test_markdown_is_rendered_as_nodes(ann):
    said = (
        "**strong** *em* `co*de*` https://example.org/a_(b).\n> quoted\n```\n<b>code</b>\n```\nend"
    )
    send(ann, said)
    text = message_texts(ann).last
    for tag, words in (("strong", "strong"), ("em", "em"), ("p > code", "co*de*")):
        expect(text.locator(tag)).to_have_text(words)
    expect(text.locator("blockquote")).to_have_text("quoted")
    expect(text.locator("pre")).to_have_text("<b>code</b>")
    link = text.locator("a")
    expect(link).to_have_attribute("href", "https://example.org/a_(b)")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_long_message_is_folded(ann):
    send(ann, "\n".join(f"line {n}" for n in range(60)))
    row = messages(ann).last
    folded = row.bounding_box()["height"]
    row.get_by_role("button", name="Show all").click()
    assert row.bounding_box()["height"] > 2 * folded
    row.get_by_role("button", name="Show less").click()
    assert row.bounding_box()["height"] == folded


def test_messages_are_grouped_by_sender(ann, writer):
    send_many(writer, 2)
    send(ann, "mine")
    send_many(writer, 1, "again")
    expect(messages(ann)).to_have_count(4)
    is_first = [item.locator(".sender").count() for item in messages(ann).all()]
    assert is_first == [1, 0, 1, 1]
    expect(messages(ann).nth(2)).to_have_class(re.compile("own"))


def test_days_are_separated(visit, room, browser):
    ann = visit(room)
    enter_name(ann, "Ann Days")
    send(ann, "today's")
    expect(ann.locator(".day")).to_have_text(["Today"])
    later = visit(room)
    later.clock.install(time=time.time() + 86400)
    later.goto(room)
    enter_name(later, "Bo Days")
    expect(later.locator(".day")).to_have_text(["Yesterday"])


def test_view_follows_the_end_unless_the_user_has_scrolled_up(ann, writer):
    send_many(writer, 60)
    expect(message_texts(ann).last).to_have_text("message 60")
    assert distance_to_end(ann) < 5
    scroll(ann, -900)
    below = ann.locator(".below")
    expect(below).to_have_text("To the newest message")
    top = ann.evaluate("document.getElementById('message-container').scrollTop")
    send_many(writer, 3, "new")
    expect(below).to_have_text("3 new messages")
    assert ann.evaluate("document.getElementById('message-container').scrollTop") == top
    below.click()
    expect(message_texts(ann).last).to_be_in_viewport()
    expect(below).to_be_hidden()
    assert distance_to_end(ann) < 5


def test_older_messages_load_on_scrolling_without_a_jump(visit, writer, room):
    send_many(writer, 700)
    ann = visit(room)
    enter_name(ann, "Ann Older")
    expect(message_texts(ann).last).to_have_text("message 700")
    seen = {int(text.split()[1]) for text in message_texts(ann).all_inner_texts()}
    deadline = time.monotonic() + 60
    while 1 not in seen and time.monotonic() < deadline:
        place = ann.evaluate(
            """() => {
              const list = document.getElementById("message-container");
              list.scrollTop -= 700;
              const row = [...list.querySelectorAll(".message")].find(
                (item) => item.offsetTop + item.offsetHeight > list.scrollTop);
              return [row.dataset.id, row.offsetTop - list.scrollTop];
            }"""
        )
        ann.wait_for_timeout(50)
        now = ann.evaluate(
            """(id) => {
              const list = document.getElementById("message-container");
              const row = list.querySelector(`[data-id="${id}"]`);
              return row.offsetTop - list.scrollTop;
            }""",
            place[0],
        )
        assert abs(now - place[1]) <= 2, "the view jumped"
        seen |= {int(text.split()[1]) for text in message_texts(ann).all_inner_texts()}
        assert ann.locator("#message-container > li").count() < 300
    assert seen == set(range(1, 701))
    expect(ann.locator("#message-container .note").first).to_have_text(
        "This is where the conversation begins."
    )
    ann.locator(".below").click()
    expect(message_texts(ann).last).to_have_text("message 700")


def test_new_divider_is_where_the_user_stopped_reading(visit, ann, writer, room):
    send_many(writer, 2, "read")
    expect(message_texts(ann)).to_have_count(2)
    ann.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => window.isAway });
          window.isAway = true;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    send_many(writer, 2, "unread")
    expect(ann).to_have_title(re.compile(r"^\(2\) "))
    ann.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
    rows = ann.locator("#message-container > :is(.message, .new)")
    expect(rows).to_have_count(5)
    expect(rows.nth(2)).to_have_text("New")
    expect(ann).to_have_title(re.compile("^room"))


SETTLED = """() => new Promise((resolve) => {
  const list = document.getElementById("message-container");
  let changes = 0;
  const watch = new MutationObserver((found) => { changes += found.length; });
  const again = () => {
    changes = 0;
    setTimeout(() => (changes ? again() : (watch.disconnect(), resolve(list.scrollTop))), 500);
  };
  watch.observe(list, { childList: true });
  again();
})"""


@pytest.mark.parametrize("height", [400, 1500])
def test_window_stops_growing_with_low_and_high_viewports(visit, writer, room, height):
    send_many(writer, 400)
    ann = visit(room, viewport={"width": 1000, "height": height})
    ann.evaluate("document.documentElement.dataset.compact = ''")
    enter_name(ann, "Ann Rests")
    expect(message_texts(ann).last).to_have_text("message 400")
    for by in (-700, -2500, 300):
        scroll(ann, by)
        ann.evaluate(SETTLED)
        assert ann.evaluate("document.getElementById('message-container').scrollTop") > 500
    numbers = [int(text.split()[1]) for text in message_texts(ann).all_inner_texts()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] > 1


def test_new_messages_do_not_grow_the_window_of_a_user_who_scrolled_up(ann, writer):
    send_many(writer, 150)
    expect(message_texts(ann).last).to_have_text("message 150")
    scroll(ann, -300)
    top = ann.evaluate(SETTLED)
    send_many(writer, 300, "later")
    expect(ann.locator(".below")).to_have_text("300 new messages")
    assert ann.evaluate(SETTLED) == top
    assert messages(ann).count() < 300
    ann.locator(".below").click()
    expect(message_texts(ann).last).to_have_text("later 300")


def test_room_with_many_new_messages_opens_at_the_divider(visit, writer, room):
    ann = visit(room)
    enter_name(ann, "Ann Returns")
    send_many(writer, 30)
    expect(message_texts(ann).last).to_have_text("message 30")
    ann.locator("#room-list").get_by_text("Lobby").click()
    send_many(writer, 160, "new")
    ann.locator("#room-list").get_by_text(room.rpartition("/")[2]).click()
    ann.evaluate(SETTLED)
    expect(ann.locator("#message-container .new")).to_be_in_viewport()
    expect(message_texts(ann).filter(has_text=re.compile("^new 1$"))).to_be_in_viewport()
    expect(message_texts(ann).filter(has_text=re.compile("^message 30$"))).to_be_in_viewport()


def test_messages_of_ignored_users_leave_no_gap(visit, ann, writer, room):
    send_many(writer, 10, "before")
    send(ann, "mine")
    send_many(writer, 300)
    ann.locator("#people-list li", has_text="Writer").hover()
    ann.get_by_role("button", name=re.compile("Ignore .*Writer")).click()
    expect(message_texts(ann)).to_have_text(["mine"])
    ann.evaluate(SETTLED)
    expect(message_texts(ann)).to_have_text(["mine"])
