"""Hostile words in the real page: nothing of them runs, and nothing breaks the layout.

The vectors are the 4,461 of BRS-KB (PyPI: brs-kb 4.0.2, MIT), which are no more than data.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest
from brs_kb.payloads import FULL_PAYLOAD_DATABASE
from person import Person
from playwright.sync_api import Page, expect
from raw import eventually
from serving import UNLIMITED
from windows import enter, messages, names_here, say, texts, unsent

from chatapp.errors import NameInvalid
from chatapp.names import present

VECTORS = sorted({v.payload for v in FULL_PAYLOAD_DATABASE.values() if len(v.payload) <= 4000})
SOME = VECTORS[::4]
BATCH = 200  # so many rows the page has drawn at once
WRAPPERS = [
    *["`{}`", "``{}``", "> {}", "*{}*", "**{}**", "_{}_", "**_`{}`_**"],
    *["```\n{}\n```", "```html\n{}\n```", "> > `{}`", "(https://{})", "[x](https://a.example/{})"],
    *["https://a.example/?q={}", "http://{}@a.example", "@{}", ":{}:"],
]

TRAP = """
window.sprung = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"]) {
  window[name] = (...what) => sprung.push(`${name}(${what})`);
}
const told = (event) => sprung.push(`${event.type}: ${event.message ?? event.target.outerHTML}`);
addEventListener("error", told, true);
addEventListener("unhandledrejection", ({ reason }) => sprung.push(`rejected: ${reason}`));
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  sprung.push(`policy: ${violatedDirective} ${blockedURI}`));
"""

STRANGERS = """() => {
  const known = new Set(("A B BDI BLOCKQUOTE BUTTON CODE DIV EM LI MARK P PRE SPAN STRONG TIME" +
    " svg path").split(" "));
  const found = new Set();
  for (const element of document.querySelectorAll("#message-container *")) {
    if (!known.has(element.tagName)) found.add(element.tagName);
  }
  for (const element of document.querySelectorAll("body, body *")) {
    for (const { name, value } of element.attributes) {
      if (/^on|^(srcdoc|formaction|action|xlink:href)$/.test(name)) found.add(`${name}=${value}`);
      if (name === "href" && !/^https?:$/.test(element.protocol)) {
        if (value !== "#message") found.add(`href=${value}`);
      }
      if (name === "src" && new URL(value, location).origin !== location.origin) {
        found.add(`src=${value}`);
      }
    }
    if (element.target === "_blank" && !/noopener noreferrer/.test(element.rel)) {
      found.add(element.outerHTML);
    }
  }
  return [...found];
}"""

SHOWN = """(ids) => ids.map((id) => {
  const row = document.querySelector(`.message[data-id="${id}"]`);
  const sender = row?.querySelector(".sender bdi, .unseen bdi");
  return row ? [sender.textContent, row.querySelector(".text").textContent] : null;
})"""


@pytest.fixture
def trapped(browser):
    """Open a URL in a window where nothing may run, be asked for or go wrong."""
    contexts = []
    outside: list[str] = []
    pages: list[Page] = []

    def visit(url: str, **options) -> Page:
        origin = "/".join(url.split("/")[:3])
        own = re.compile(
            rf"(http|ws){re.escape(origin.removeprefix('http'))}/|data:image/svg\+xml,"
        )
        contexts.append(browser.new_context(**options))
        contexts[-1].on("page", lambda opened: pages.append(opened))  # noqa: PLW0108
        contexts[-1].add_init_script(TRAP)
        page = contexts[-1].new_page()
        page.on("request", lambda asked: own.match(asked.url) or outside.append(asked.url))
        page.on("websocket", lambda opened: own.match(opened.url) or outside.append(opened.url))
        page.on("pageerror", lambda error: outside.append(str(error)))
        page.on("dialog", lambda dialog: outside.append(dialog.message))
        page.goto(url)
        page.wait_for_selector("body.is-ready")
        return page

    yield visit
    sprung = [page.evaluate("window.sprung") for page in pages]
    strangers = [page.evaluate(STRANGERS) for page in pages]
    for context in contexts:
        context.close()
    assert (outside, sprung, strangers) == ([], [[]] * len(contexts), [[]] * len(contexts))


@pytest.fixture
def url(serve) -> str:
    """A server that takes a lot at once."""
    return serve("gunicorn", **UNLIMITED, STORE="memory:", NAME_HOLD="0.05").url


@pytest.fixture
def mallory(room) -> Iterator[Person]:
    """Someone in the room with a client of their own."""
    mallory = Person(room.partition("/r/")[0], "websocket")
    mallory.sets("Mallory")
    mallory.says("join", {"room": name_of(room)})
    yield mallory
    mallory.leaves()


def name_of(room: str) -> str:
    return room.rpartition("/")[2]


def says(person: Person, room: str, said: Sequence[str]) -> list[tuple[int, str, str]]:
    """Say all of it at once; the number, sender and text of each, as the server has it."""
    person.forgets()
    for message in said:
        person.emits("msg", {"message": message, "room": name_of(room)})
    return heard(person, len(said))


def tells(person: Person, room: str, message: str) -> tuple[int, str, str]:
    """Say one thing, among others who do."""
    answer = person.says("msg", {"message": message, "room": name_of(room)})
    return answer["id"], "", message


def heard(person: Person, count: int) -> list[tuple[int, str, str]]:
    found = person.hears("newmsg", count=count, within=60)
    return [(number["id"], said["user"], said["message"]) for said, number in found]


def shown(page: Page, said: Sequence[tuple[int, str, str]]) -> list[list[str]]:
    """The senders and texts of these messages' rows, once the last is there."""
    last = page.locator(f'#message-container .message[data-id="{said[-1][0]}"]')
    last.wait_for(state="attached", timeout=30000)
    return page.evaluate(SHOWN, [number for number, *_ in said])


def batches(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def is_plain(text: str) -> bool:
    """Whether there's no Markdown, link or mention in it."""
    return not re.search(r"[`*_@]|https?:|^>", text, re.I | re.M)


def is_name(text: str) -> bool:
    """Whether the server takes it for a name."""
    try:
        return bool(present(text))
    except NameInvalid:
        return False


def without_markup(text: str) -> str:
    return re.sub(r"```[\w+#-]{0,20}[ \t]*$|[`*_>\s]", "", text, flags=re.M)


def enters(page: Page, name: str) -> None:
    enter(page, name)
    expect(page.locator("#message")).to_be_visible()


def test_the_trap_springs(browser, room):
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
    assert {"IMG", "onerror=alert(1)", "href=javascript:alert(1)"} <= set(page.evaluate(STRANGERS))
    context.close()


def test_messages_are_text(trapped, room, mallory):
    page = trapped(room)
    enters(page, "Ann")
    title = page.title()
    plain = 0
    for batch in batches(VECTORS):
        said = says(mallory, room, batch)
        rows = shown(page, said)
        assert page.evaluate(STRANGERS) == []
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


def test_links_and_markdown_are_never_more_than_they_are(trapped, room, mallory):
    page = trapped(room)
    enters(page, "Ann")
    title = page.title()
    links = ["https://" + vector for vector in SOME]
    wrapped = [WRAPPERS[n % len(WRAPPERS)].format(v) for n, v in enumerate(SOME[1:])]
    for batch in batches([text for text in links + wrapped if len(text) <= 4000]):
        said = says(mallory, room, batch)
        rows = shown(page, said)
        assert page.evaluate(STRANGERS) == []
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
    enters(page, "Ann")
    title = page.title()
    names = [vector for vector in VECTORS if is_name(vector)]
    assert len(names) >= 1000
    for batch in batches(names):
        mallory.forgets()
        for name in batch:
            mallory.emits("setUsername", name)
            mallory.emits("msg", {"message": name, "room": name_of(room)})
        said = heard(mallory, len(batch))
        assert [user for _, user, _ in said] == [present(name) for name in batch]
        rows = shown(page, said)
        assert [row[0] for row in rows] == [user for _, user, _ in said]
        expect(names_here(page).filter(has_text=said[-1][1])).to_have_count(1)
        assert page.evaluate(STRANGERS) == []
    assert page.title() == title


def test_who_is_here_under_hostile_names_is_told_in_text(trapped, room, serve):
    url = room.partition("/r/")[0]
    page = trapped(room)
    enters(page, "Ann")
    tags = [vector for vector in VECTORS if vector.startswith("<") and len(vector) <= 32]
    people = []
    for name in tags[:: len(tags) // 12]:
        person = Person(url, "websocket")
        answer = person.sets(name)
        if answer["ok"]:
            person.says("join", {"room": name_of(room)})
            people.append((answer["user"], person))
        else:
            person.leaves()
    names = {name for name, _ in people}
    assert len(names) > 8
    expect(names_here(page)).to_have_count(len(names) + 1)
    assert set(names_here(page).all_inner_texts()) == names | {"Ann"}
    expect(page.locator("#message-container .note").last).to_contain_text(people[0][0])
    people[0][1].emits("typing", {"room": name_of(room)})
    expect(page.locator("#typing")).to_contain_text(people[0][0])
    expect(page.locator("#typing *")).to_have_count(0)
    page.get_by_role("button", name=f"Ignore \u2068{people[1][0]}\u2069", exact=True).click()
    expect(page.locator("#announcer")).to_contain_text(people[1][0])
    page.locator("#show-settings").click()
    expect(page.locator("#settings bdi")).to_have_text([people[1][0]])
    for _, person in people:
        person.leaves()
    expect(names_here(page)).to_have_count(1)


def test_what_is_typed_is_text(trapped, room):
    ann = trapped(room)
    name = "<img src onerror=alert(1)>"
    enters(ann, name)
    title = ann.title()
    typed = [v for v in VECTORS if is_plain(v) and not re.search(r":[\w+-]+:|[\r\0]", v)]
    typed = typed[:: len(typed) // 12]
    for vector in typed:
        say(ann, vector)
    expect(messages(ann)).to_have_count(len(typed), timeout=20000)
    expect(unsent(ann)).to_have_count(0)
    assert [row.text_content() for row in texts(ann).all()] == typed
    ann.locator("#message").fill(typed[0])
    ann.reload()
    expect(ann.locator("#message")).to_have_value(typed[0])
    expect(ann.locator("#own-name")).to_have_text(name)
    ann.locator("#change-name").click()
    ann.locator("#new-name").fill("<svg onload=alert(1)>\u200b")
    ann.locator("#rename").get_by_role("button", name="Save").click()
    expect(ann.locator("#rename-error")).to_contain_text("U+200B")
    assert ann.title() == title


def test_the_server_has_no_page_for_a_room_that_cannot_be(serve, url):
    link = http.client.HTTPConnection(url.partition("//")[2], timeout=20)
    for vector in SOME:
        link.request("GET", "/r/" + quote(vector, safe=""))
        answer = link.getresponse()
        body = answer.read().decode()
        # Werkzeug joins slashes; what it then says is no way out of here.
        place = answer.headers.get("Location", "/")
        assert answer.status in (404, 308), vector
        assert re.match(rf"(http://{re.escape(link.host)}:{link.port})?/(?![/\\])", place), place
        assert "<" not in vector or vector not in body
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    link.close()


def test_rooms_that_cannot_be_are_not_opened(trapped, url):
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
          const router = new Router("", () => {});
          return names.flatMap((name) => [encodeURIComponent(name), encodeURI(name), name])
            .filter((path) => router.current(`/r/${path}`) !== null);
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


# Layout

ZALGO = "".join(
    char + "\u0300\u0301\u0302\u0303\u0308\u030b\u0316\u0317\u0323\u0489" * 6
    for char in "Zalgo comes"
)
WIDE = {
    "word": "w" * 4000,
    "zalgo": ZALGO,
    "zalgo column": "Z" + "\u030b\u0316" * 1000,
    "override": "\u202eoverride \u202dagain \u202b and \u2067 more",
    "isolates": "\u2066\u2067\u2068\u202e never closed \u2066" * 20,
    "override in code": "`\u202ecode`\n```\n\u202ea = 1\n```",
    "override in a link": "https://a.example/\u202egnp.exe",
    "emoji": "😀" * 500,
    "families": "👨‍👩‍👧‍👦" * 500,
    "newlines": "a" + "\n" * 3998 + "b",
    "quotes": "> " * 1999 + "x",
    "quoted lines": "\n".join("> " * (n % 40 + 1) + "quoted" for n in range(80)),
    "line of code": "```\n" + "code = " * 560 + "\n```",
    "code": "`" + "x" * 990 + "`",
    "link": "https://a.example/" + "path" * 900,
    "signs": "\ufdfd" * 500,
    "tabs": "a" + "\t" * 3000 + "b",
    "spaces that don't break": "a" + "\u00a0" * 3900 + "b",
    "tall": "\U00012219" * 60 + "꧅" * 60,
}
NAMES = [
    "W" * 32,
    "Z" + "\u0300\u0316" * 15 + "o",
    "\U0001242b" * 32,
    "\ufdfd" * 8,
    "😀" * 32,
    "ישרא" * 8,
]

OVERFLOWING = """() => {
  const places = ["main", "header", "#room", "#message-container", "#conversation", "#message-form",
    "#name-form", "#people", "#rooms", "#people-list", "#troubles", "#start", "dialog[open]"];
  const found = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > innerWidth || document.body.scrollWidth > innerWidth) {
    found.push("page");
  }
  for (const selector of places) {
    const place = document.querySelector(selector);
    if (!place?.checkVisibility()) continue;
    const { left, right } = place.getBoundingClientRect();
    if (place.scrollWidth > place.clientWidth + 1) found.push(`${selector} scrolls sideways`);
    if (left < -0.5 || right > width + 0.5) found.push(`${selector} ${left} ${right}`);
  }
  const rows = [...document.querySelectorAll("#message-container > *")];
  for (const [n, row] of rows.entries()) {
    const box = row.getBoundingClientRect();
    const next = rows[n + 1]?.getBoundingClientRect();
    if (next && next.top < box.bottom - 0.5) found.push(`row ${row.dataset.key} is under the next`);
    for (const child of row.children) {
      if (child.matches(".unseen, time")) continue;
      const inner = child.getBoundingClientRect();
      if (inner.left < box.left - 0.5 || inner.right > box.right + 0.5 ||
          inner.top < box.top - 0.5 || inner.bottom > box.bottom + 0.5) {
        found.push(`${child.className} leaves row ${row.dataset.key}`);
      }
    }
  }
  return found;
}"""

BACKWARDS = """() => {
  const found = [];
  for (const name of document.querySelectorAll(".sender bdi, .message .text")) {
    const text = name.textContent;
    if (!/^Plain/.test(text)) continue;
    const nodes = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
    const node = nodes.nextNode();
    const at = (index) => {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + 1);
      return range.getBoundingClientRect().left;
    };
    for (let n = 0; n < 4; n += 1) if (!(at(n) < at(n + 1))) found.push(`${text} ${n}`);
  }
  return found;
}"""


@pytest.fixture(params=[320, 1280])
def narrow_or_wide(request) -> dict:
    return {"viewport": {"width": request.param, "height": 600}}


def leaks(page: Page, rows: str, number: int) -> list[str]:
    """Which neighbours of a row look different when it isn't painted."""
    row = page.locator(rows).nth(number)
    row.evaluate("(row) => row.scrollIntoView({ block: 'center' })")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")

    edge = page.locator("#message-container").bounding_box()
    boxes = [page.locator(rows).nth(number + step).bounding_box() for step in (-1, 1)]
    for box in boxes:
        top = max(box["y"], edge["y"])
        box["height"] = min(box["y"] + box["height"], edge["y"] + edge["height"]) - top
        box["y"] = top

    def looks() -> list[bytes]:
        return [page.screenshot(clip=box, animations="disabled") for box in boxes]

    painted = looks()
    row.evaluate("(row) => (row.style.visibility = 'hidden')")
    unpainted = looks()
    row.evaluate("(row) => (row.style.visibility = '')")
    return [
        side for side, a, b in zip(("above", "below"), painted, unpainted, strict=True) if a != b
    ]


def test_hostile_messages_stay_in_their_rows(trapped, room, mallory, narrow_or_wide):
    page = trapped(room, **narrow_or_wide)
    enters(page, "Ann")
    plain = Person(room.partition("/r/")[0], "websocket")
    plain.sets("Plain")
    plain.says("join", {"room": name_of(room)})
    said = [tells(plain, room, "Plainly")]
    for message in WIDE.values():
        said += [tells(mallory, room, message), tells(mallory, room, "Plainly")]
        said += [tells(plain, room, "Plainly")]
    plain.leaves()
    shown(page, said)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(BACKWARDS) == []
    assert page.locator(".sender", has_text="Plain").count() == len(WIDE) + 1
    for name in ("zalgo", "zalgo column", "tall"):
        assert leaks(page, "#message-container > .message", 1 + 3 * list(WIDE).index(name)) == []
    folded = page.get_by_role("button", name="Show all")
    while folded.count():
        folded.first.click()
    assert page.evaluate(OVERFLOWING) == []
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(BACKWARDS) == []


def test_hostile_names_stay_in_their_places(trapped, room, mallory, narrow_or_wide):
    page = trapped(room, **narrow_or_wide)
    enters(page, "Z" * 16 + "\u0316\u0300" * 8)
    plain = Person(room.partition("/r/")[0], "websocket")
    plain.sets("Plain")
    plain.says("join", {"room": name_of(room)})
    said = [tells(plain, room, "Plainly")]
    taken = []
    for name in NAMES:
        if (answer := mallory.sets(name))["ok"]:
            taken.append(answer["user"])
            for person in (plain, mallory, plain):
                said += [tells(person, room, "Plainly")]
    assert len(taken) > 4
    plain.emits("typing", {"room": name_of(room)})
    mallory.emits("typing", {"room": name_of(room)})
    shown(page, said)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(BACKWARDS) == []
    zalgo = next(name for name in taken if "\u0316" in name)
    rows = page.locator("#message-container > *")
    for n in range(rows.count() - 1):
        if n and zalgo in (rows.nth(n).text_content() or ""):
            assert (
                leaks(page, "#message-container > *", n),
                rows.nth(n).get_attribute("class"),
            ) == (
                [],
                rows.nth(n).get_attribute("class"),
            )
    for button in ("show-people", "show-rooms"):
        if page.locator(f"#{button}").is_visible():
            page.locator(f"#{button}").click()
            assert page.evaluate(OVERFLOWING) == []
            page.keyboard.press("Escape")
    plain.leaves()


def test_hostile_drafts_leave_the_button_in_view(trapped, room, narrow_or_wide):
    page = trapped(room, **narrow_or_wide)
    page.locator("#name").fill("W" * 256)
    page.locator("#name").press("Enter")
    expect(page.locator("#error-container")).to_contain_text("too long")
    assert page.evaluate(OVERFLOWING) == []
    enters(page, "Ann")
    for draft in ("w" * 4000, "\n" * 4000, ZALGO, "\u202e" * 10 + "x" * 300, "w" * 9000):
        # Chromium's own editor takes long for many lines that are typed.
        page.locator("#message").evaluate(
            "(box, text) => { box.value = text; box.dispatchEvent(new Event('input')); }", draft
        )
        assert page.evaluate(OVERFLOWING) == []
        expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
