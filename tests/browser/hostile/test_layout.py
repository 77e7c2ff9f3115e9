"""Test that hostile texts don't break the page's layout."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from support.browser.hostile import name_of, send_one, shown_rows
from support.browser.windows import join_as
from support.clients import SocketIOClient

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
MARKS = "\u0300\u0316\u0301\u0317"
"""As many marks as a letter of a name may have."""
NAMES = [
    "W" * 32,
    ("Z" + MARKS) * 5 + "o",
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
    """Return the neighbours of a row that look different when it isn't painted."""
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
    join_as(page, "Ann")
    plain = SocketIOClient(room.partition("/r/")[0], "websocket")
    plain.set_name("Plain")
    plain.call("join", {"room": name_of(room)})
    said = [send_one(plain, room, "Plainly")]
    for message in WIDE.values():
        said += [send_one(mallory, room, message), send_one(mallory, room, "Plainly")]
        said += [send_one(plain, room, "Plainly")]
    plain.disconnect()
    shown_rows(page, said)
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
    join_as(page, ("Z" + MARKS) * 6)
    plain = SocketIOClient(room.partition("/r/")[0], "websocket")
    plain.set_name("Plain")
    plain.call("join", {"room": name_of(room)})
    said = [send_one(plain, room, "Plainly")]
    taken = []
    for name in NAMES:
        if (answer := mallory.set_name(name))["ok"]:
            taken.append(answer["user"])
            for person in (plain, mallory, plain):
                said += [send_one(person, room, "Plainly")]
    assert len(taken) > 4
    plain.emit("typing", {"room": name_of(room)})
    mallory.emit("typing", {"room": name_of(room)})
    shown_rows(page, said)
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
    plain.disconnect()


def test_hostile_drafts_leave_the_button_in_view(trapped, room, narrow_or_wide):
    page = trapped(room, **narrow_or_wide)
    page.locator("#name").fill("W" * 256)
    page.locator("#name").press("Enter")
    expect(page.locator("#error-container")).to_contain_text("too long")
    assert page.evaluate(OVERFLOWING) == []
    join_as(page, "Ann")
    for draft in ("w" * 4000, "\n" * 4000, ZALGO, "\u202e" * 10 + "x" * 300, "w" * 9000):
        # Chromium's own editor takes long for many lines that are typed.
        page.locator("#message").evaluate(
            "(box, text) => { box.value = text; box.dispatchEvent(new Event('input')); }", draft
        )
        assert page.evaluate(OVERFLOWING) == []
        expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
