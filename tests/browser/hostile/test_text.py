"""Test that nothing in a hostile text runs on the page.

The texts are the 4,461 XSS vectors of BRS-KB (PyPI: brs-kb 4.0.2, MIT).
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from brs_kb.payloads import FULL_PAYLOAD_DATABASE
from playwright.sync_api import expect
from support.browser.hostile import FORBIDDEN_NODES, TRAP, name_of, received, send_all, shown_rows
from support.browser.windows import (
    join_as,
    message_texts,
    messages,
    send,
    unsent_messages,
    user_names,
)
from support.clients import SocketIOClient
from support.raw import eventually

from chatapp.chat.people.names import display_form
from chatapp.errors import NameInvalid

VECTORS = sorted({v.payload for v in FULL_PAYLOAD_DATABASE.values() if len(v.payload) <= 4000})
SOME = VECTORS[::4]
BATCH = 100  # the page renders so many rows at once
WRAPPERS = [
    *["`{}`", "``{}``", "> {}", "*{}*", "**{}**", "_{}_", "**_`{}`_**"],
    *["```\n{}\n```", "```html\n{}\n```", "> > `{}`", "(https://{})", "[x](https://a.example/{})"],
    *["https://a.example/?q={}", "http://{}@a.example", "@{}", ":{}:"],
]


def batches(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def is_plain(text: str) -> bool:
    """Whether a text has no Markdown, link or mention."""
    return not re.search(r"[`*_@]|https?:|^>", text, re.I | re.M)


def is_name(text: str) -> bool:
    """Whether the server accepts a text as a name."""
    try:
        return bool(display_form(text))
    except NameInvalid:
        return False


def without_markup(text: str) -> str:
    return re.sub(r"```[\w+#-]{0,20}[ \t]*$|[`*_>\s]", "", text, flags=re.M)


def test_trap_catches_markup_that_runs(browser, room):
    context = browser.new_context()
    context.add_init_script(TRAP)
    page = context.new_page()
    page.goto(room)
    page.wait_for_selector("body.is-ready")
    page.evaluate(
        "document.querySelector('#message-container').innerHTML ="
        " '<li><img src=x onerror=alert(1)><img src=https://a.example/>"
        "<a href=javascript:alert(1)>x</a></li>'"
    )
    eventually(lambda: "policy: script-src" in str(page.evaluate("sprung")))
    eventually(lambda: "policy: img-src" in str(page.evaluate("sprung")))
    assert {"IMG", "onerror=alert(1)", "href=javascript:alert(1)"} <= set(
        page.evaluate(FORBIDDEN_NODES)
    )
    context.close()


def test_messages_are_text(trapped, room, mallory):
    page = trapped(room)
    join_as(page, "Ann")
    title = page.title()
    plain = 0
    for batch in batches(VECTORS):
        said = send_all(mallory, room, batch)
        rows = shown_rows(page, said)
        assert page.evaluate(FORBIDDEN_NODES) == []
        for (_, user, message), row in zip(said, rows, strict=True):
            assert row, message
            assert row[0] == user
            if is_plain(message):
                plain += 1
                assert row[1] == message
            else:
                assert without_markup(row[1]) == without_markup(message)
    assert plain > 3000
    assert page.title() == title


def test_links_and_markdown_render_no_other_nodes(trapped, room, mallory):
    page = trapped(room)
    join_as(page, "Ann")
    title = page.title()
    links = ["https://" + vector for vector in SOME]
    wrapped = [WRAPPERS[n % len(WRAPPERS)].format(v) for n, v in enumerate(SOME[1:])]
    for batch in batches([text for text in links + wrapped if len(text) <= 4000]):
        said = send_all(mallory, room, batch)
        rows = shown_rows(page, said)
        assert page.evaluate(FORBIDDEN_NODES) == []
        for (_, _, message), row in zip(said, rows, strict=True):
            assert row, message
            assert without_markup(row[1]) == without_markup(message)
        dishonest = page.evaluate(
            "() => [...document.querySelectorAll('#message-container a')].filter((a) =>"
            " !URL.canParse(a.textContent) || new URL(a.textContent).href !== a.href)"
            ".map((a) => a.outerHTML)"
        )
        assert dishonest == []
    assert page.locator("#message-container a").count() > 0
    assert page.title() == title


def test_names_are_text(trapped, room, mallory):
    page = trapped(room)
    join_as(page, "Ann")
    title = page.title()
    names = [vector for vector in VECTORS if is_name(vector)]
    assert len(names) >= 1000
    for batch in batches(names):
        mallory.clear_received()
        for name in batch:
            mallory.emit("setUsername", name)
            mallory.emit("msg", {"message": name, "room": name_of(room)})
        said = received(mallory, len(batch))
        assert [user for _, user, _ in said] == [display_form(name) for name in batch]
        rows = shown_rows(page, said)
        assert [row[0] for row in rows] == [user for _, user, _ in said]
        expect(user_names(page).filter(has_text=said[-1][1])).to_have_count(1)
        assert page.evaluate(FORBIDDEN_NODES) == []
    assert page.title() == title


def test_lists_of_hostile_names_are_text(trapped, room, serve):
    url = room.partition("/r/")[0]
    page = trapped(room)
    join_as(page, "Ann")
    tags = [vector for vector in VECTORS if vector.startswith("<") and len(vector) <= 32]
    people = []
    for name in tags[:: len(tags) // 12]:
        person = SocketIOClient(url, "websocket")
        answer = person.set_name(name)
        if answer["ok"]:
            person.call("join", {"room": name_of(room)})
            people.append((answer["user"], person))
        else:
            person.disconnect()
    names = {name for name, _ in people}
    assert len(names) > 8
    expect(user_names(page)).to_have_count(len(names) + 1)
    assert set(user_names(page).all_inner_texts()) == names | {"Ann"}
    expect(page.locator("#message-container .note").last).to_contain_text(people[0][0])
    people[0][1].emit("typing", {"room": name_of(room)})
    expect(page.locator("#typing")).to_contain_text(people[0][0])
    expect(page.locator("#typing *")).to_have_count(0)
    page.get_by_role("button", name=f"Ignore \u2068{people[1][0]}\u2069", exact=True).click()
    expect(page.locator("#announcer")).to_contain_text(people[1][0])
    page.locator("#show-settings").click()
    expect(page.locator("#settings bdi")).to_have_text([people[1][0]])
    for _, person in people:
        person.disconnect()
    expect(user_names(page)).to_have_count(1)


def test_typed_messages_are_text(trapped, room):
    ann = trapped(room)
    name = "<img src onerror=alert(1)>"
    join_as(ann, name)
    title = ann.title()
    typed = [v for v in VECTORS if is_plain(v) and not re.search(r":[\w+-]+:|[\r\0]", v)]
    typed = typed[:: len(typed) // 12]
    for vector in typed:
        send(ann, vector)
    expect(messages(ann)).to_have_count(len(typed), timeout=20000)
    expect(unsent_messages(ann)).to_have_count(0)
    assert [row.text_content() for row in message_texts(ann).all()] == typed
    ann.locator("#message").fill(typed[0])
    ann.reload()
    expect(ann.locator("#message")).to_have_value(typed[0])
    expect(ann.locator("#own-name")).to_have_text(name)
    ann.locator("#change-name").click()
    ann.locator("#new-name").fill("<svg\u200b onload=alert(1)>")
    ann.locator("#rename").get_by_role("button", name="Save").click()
    expect(ann.locator("#rename-error")).to_contain_text("U+200B")
    assert ann.title() == title


def test_server_has_no_page_for_an_invalid_room_name(serve, url):
    link = http.client.HTTPConnection(url.partition("//")[2], timeout=20)
    for vector in SOME:
        link.request("GET", "/r/" + quote(vector, safe=""))
        answer = link.getresponse()
        body = answer.read().decode()
        # Werkzeug joins slashes and redirects: that must stay on this host.
        place = answer.headers.get("Location", "/")
        assert answer.status in (404, 308), vector
        assert re.match(rf"(http://{re.escape(link.host)}:{link.port})?/(?![/\\])", place), place
        assert "<" not in vector or vector not in body
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    link.close()


def test_page_opens_no_room_with_an_invalid_name(trapped, url):
    page = trapped(url)
    names = [v for v in SOME if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", v.strip())]
    opened = page.evaluate(
        """(names) => names.filter((name) => {
          const form = document.querySelector("#start form");
          form.querySelector("[role=alert]").textContent = "";
          form.querySelector("input").value = name;
          form.requestSubmit();
          return location.pathname !== "/" || !form.querySelector("[role=alert]").textContent;
        })""",
        names,
    )
    assert opened == []
    expect(page.locator("#start")).to_be_visible()
    found = page.evaluate(
        """async (names) => {
          const main = document.querySelector("script[type=module]").src;
          const { Router } = await import(new URL("router.js", main));
          const roomName = new RegExp(`^${document.body.dataset.roomPattern}$`);
          const router = new Router("", roomName, () => {});
          return names.flatMap((name) => [encodeURIComponent(name), encodeURI(name), name])
            .filter((path) => router.currentRoom(`/r/${path}`) !== null);
        }""",
        names,
    )
    assert found == []
    page.evaluate(
        """(paths) => {
          for (const path of paths) {
            history.replaceState(null, "", `/r/${path}`);
            dispatchEvent(new PopStateEvent("popstate"));
          }
        }""",
        ["%E0%A4%A", *(quote(name, safe="") for name in names[::100])],
    )
    expect(page.locator("#start")).to_be_visible()
    expect(page.locator("#room-list li")).to_have_count(1)
    page.evaluate("history.replaceState(null, '', '/')")
    page.locator("#open-room").fill("Tea")
    page.locator("#open-room").press("Enter")
    expect(page.locator("#room-title")).to_have_text("tea")
    page.go_back()
    expect(page.locator("#start")).to_be_visible()
