"""Tools for hostile texts: send them, and read what the page shows and runs."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Page

from support.clients import SocketIOClient

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

FORBIDDEN_NODES = """() => {
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

ROW_TEXTS = """(ids) => ids.map((id) => {
  const row = document.querySelector(`.message[data-id="${id}"]`);
  const sender = row?.querySelector(".sender bdi, .unseen bdi");
  return row ? [sender.textContent, row.querySelector(".text").textContent] : null;
})"""


def name_of(room: str) -> str:
    return room.rpartition("/")[2]


def send_all(person: SocketIOClient, room: str, said: Sequence[str]) -> list[tuple[int, str, str]]:
    """Send messages at once, and return the id, sender and text of each."""
    person.clear_received()
    for message in said:
        person.emit("msg", {"message": message, "room": name_of(room)})
    return received(person, len(said))


def send_one(person: SocketIOClient, room: str, message: str) -> tuple[int, str, str]:
    """Send one message, while other clients also send."""
    answer = person.call("msg", {"message": message, "room": name_of(room)})
    return answer["id"], "", message


def received(person: SocketIOClient, count: int) -> list[tuple[int, str, str]]:
    found = person.wait_for("newmsg", count=count, within=60)
    return [(number["id"], said["user"], said["message"]) for said, number in found]


def shown_rows(page: Page, said: Sequence[tuple[int, str, str]]) -> list[list[str]]:
    """Return the senders and texts of these messages' rows, once the last is shown."""
    last = page.locator(f'#message-container .message[data-id="{said[-1][0]}"]')
    last.wait_for(state="attached", timeout=30000)
    return page.evaluate(ROW_TEXTS, [number for number, *_ in said])
