"""Reading: Markdown, long messages, days; where the view is while others write, and older pages."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect
from support.browser.windows import enter, messages, say, texts
from support.chaos.load import Client
from support.servers import UNLIMITED


@pytest.fixture
def ann(visit, room) -> Page:
    page = visit(room)
    enter(page, "Ann Reads")
    expect(page.locator("#message")).to_be_visible()
    return page


@pytest.fixture
def writer(serve, room):
    """One who writes without a window."""
    client = Client(serve("gunicorn", **UNLIMITED, NAME_HOLD="0.05"), "Writer")
    client.room = room.rpartition("/")[2]
    client.call("join", {"room": client.room})
    yield client
    client.socket.close()


def writes(client: Client, count: int, text: str = "message") -> None:
    for number in range(1, count + 1):
        client.call("msg", {"message": f"{text} {number}", "room": client.room})


def scroll(page: Page, by: int) -> None:
    page.evaluate(f"document.getElementById('message-container').scrollTop += {by}")


def distance_to_end(page: Page) -> int:
    return page.evaluate(
        "(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight)"
        "(document.getElementById('message-container'))"
    )


def test_markdown_is_drawn_as_nodes(ann):
    said = (
        "**strong** *em* `co*de*` https://example.org/a_(b).\n> quoted\n```\n<b>code</b>\n```\nend"
    )
    say(ann, said)
    text = texts(ann).last
    for tag, words in (("strong", "strong"), ("em", "em"), ("p > code", "co*de*")):
        expect(text.locator(tag)).to_have_text(words)
    expect(text.locator("blockquote")).to_have_text("quoted")
    expect(text.locator("pre")).to_have_text("<b>code</b>")
    link = text.locator("a")
    expect(link).to_have_attribute("href", "https://example.org/a_(b)")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_code_is_copied(visit, room):
    ann = visit(room, permissions=["clipboard-read", "clipboard-write"])
    enter(ann, "Ann Copies")
    say(ann, "```py\nprint(1)\n```")
    texts(ann).last.get_by_role("button", name="Copy").click()
    expect(texts(ann).last.get_by_role("button", name="Copied")).to_be_visible()
    assert ann.evaluate("navigator.clipboard.readText()") == "print(1)"


def test_a_long_message_is_folded(ann):
    say(ann, "\n".join(f"line {n}" for n in range(60)))
    row = messages(ann).last
    folded = row.bounding_box()["height"]
    row.get_by_role("button", name="Show all").click()
    assert row.bounding_box()["height"] > 2 * folded
    row.get_by_role("button", name="Show less").click()
    assert row.bounding_box()["height"] == folded


def test_messages_are_grouped_by_sender(ann, writer):
    writes(writer, 2)
    say(ann, "mine")
    writes(writer, 1, "again")
    expect(messages(ann)).to_have_count(4)
    is_first = [item.locator(".sender").count() for item in messages(ann).all()]
    assert is_first == [1, 0, 1, 1]
    expect(messages(ann).nth(2)).to_have_class(re.compile("own"))


def test_days_are_apart(visit, room, browser):
    ann = visit(room)
    enter(ann, "Ann Days")
    say(ann, "today's")
    expect(ann.locator(".day")).to_have_text(["Today"])
    later = visit(room)
    later.clock.install(time=time.time() + 86400)
    later.goto(room)
    enter(later, "Bo Days")
    expect(later.locator(".day")).to_have_text(["Yesterday"])


def test_the_view_stays_at_the_end_unless_the_reader_has_scrolled_up(ann, writer):
    writes(writer, 60)
    expect(texts(ann).last).to_have_text("message 60")
    assert distance_to_end(ann) < 5
    scroll(ann, -900)
    below = ann.locator(".below")
    expect(below).to_have_text("To the newest message")
    top = ann.evaluate("document.getElementById('message-container').scrollTop")
    writes(writer, 3, "new")
    expect(below).to_have_text("3 new messages")
    assert ann.evaluate("document.getElementById('message-container').scrollTop") == top
    below.click()
    expect(texts(ann).last).to_be_in_viewport()
    expect(below).to_be_hidden()
    assert distance_to_end(ann) < 5


def test_older_messages_come_as_one_scrolls_up_and_the_view_does_not_jump(visit, writer, room):
    writes(writer, 700)
    ann = visit(room)
    enter(ann, "Ann Older")
    expect(texts(ann).last).to_have_text("message 700")
    seen = {int(text.split()[1]) for text in texts(ann).all_inner_texts()}
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
        seen |= {int(text.split()[1]) for text in texts(ann).all_inner_texts()}
        assert ann.locator("#message-container > li").count() < 300
    assert seen == set(range(1, 701))
    expect(ann.locator("#message-container .note").first).to_have_text(
        "This is where the conversation begins."
    )
    ann.locator(".below").click()
    expect(texts(ann).last).to_have_text("message 700")


def test_new_stands_where_one_has_read_to(visit, ann, writer, room):
    writes(writer, 2, "read")
    expect(texts(ann)).to_have_count(2)
    ann.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => window.isAway });
          window.isAway = true;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    writes(writer, 2, "unread")
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
def test_the_window_comes_to_rest_however_low_the_rows_are(visit, writer, room, height):
    writes(writer, 400)
    ann = visit(room, viewport={"width": 1000, "height": height})
    ann.evaluate("document.documentElement.dataset.compact = ''")
    enter(ann, "Ann Rests")
    expect(texts(ann).last).to_have_text("message 400")
    for by in (-700, -2500, 300):
        scroll(ann, by)
        ann.evaluate(SETTLED)
        assert ann.evaluate("document.getElementById('message-container').scrollTop") > 500
    numbers = [int(text.split()[1]) for text in texts(ann).all_inner_texts()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] > 1


def test_a_reader_who_has_scrolled_up_is_not_buried(ann, writer):
    writes(writer, 150)
    expect(texts(ann).last).to_have_text("message 150")
    scroll(ann, -300)
    top = ann.evaluate(SETTLED)
    writes(writer, 300, "later")
    expect(ann.locator(".below")).to_have_text("300 new messages")
    assert ann.evaluate(SETTLED) == top
    assert messages(ann).count() < 300
    ann.locator(".below").click()
    expect(texts(ann).last).to_have_text("later 300")


def test_one_comes_back_to_what_is_new_however_much_it_is(visit, writer, room):
    ann = visit(room)
    enter(ann, "Ann Returns")
    writes(writer, 30)
    expect(texts(ann).last).to_have_text("message 30")
    ann.locator("#room-list").get_by_text("Lobby").click()
    writes(writer, 160, "new")
    ann.locator("#room-list").get_by_text(room.rpartition("/")[2]).click()
    ann.evaluate(SETTLED)
    expect(ann.locator("#message-container .new")).to_be_in_viewport()
    expect(texts(ann).filter(has_text=re.compile("^new 1$"))).to_be_in_viewport()
    expect(texts(ann).filter(has_text=re.compile("^message 30$"))).to_be_in_viewport()


def test_whoever_is_ignored_leaves_no_hole(visit, ann, writer, room):
    writes(writer, 10, "before")
    say(ann, "mine")
    writes(writer, 300)
    ann.locator("#people-list li", has_text="Writer").hover()
    ann.get_by_role("button", name=re.compile("Ignore .*Writer")).click()
    expect(texts(ann)).to_have_text(["mine"])
    ann.evaluate(SETTLED)
    expect(texts(ann)).to_have_text(["mine"])
