"""Test that a page of the first version, on client 2.3.1, chats with the present page.

It is served by the chat itself, by another server, and from a file.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.apps.oldest import FILES
from support.browser.windows import enter_name, message_texts, messages, send, user_names
from support.servers import UNLIMITED, Server


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with the oldest page and its scripts."""
    folder = tmp_path_factory.mktemp("oldest")
    for name, path in FILES.items():
        shutil.copy(path, folder / name)
    return folder


@pytest.fixture(scope="module")
def elsewhere(folder) -> Iterator[str]:
    """Return the origin of a server that has the page, but no chat."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chats(tmp_path_factory, elsewhere) -> Iterator[dict[str, Server]]:
    """Return a chat that serves the page, and one that allows pages from other origins."""
    settings = {**UNLIMITED, "STORE": "memory:", "NAME_HOLD": "0.05"}
    allowed = {"ALLOWED_ORIGINS": f"{elsewhere},null"}
    folder = tmp_path_factory.mktemp
    chats = {
        "oldest": Server("gunicorn", folder("chat"), settings, module="support.apps.oldest"),
        "run": Server("command", folder("chat"), settings | allowed),
    }
    yield chats
    for chat in chats.values():
        chat.stop()


@pytest.fixture(params=["served by the chat", "served elsewhere", "a file"])
def place(request, chats, elsewhere, folder) -> tuple[Server, str]:
    """Return a chat, and the URL of the oldest page for it."""
    if request.param == "served by the chat":
        return chats["oldest"], chats["oldest"].url + "/oldest/index.html"
    page = folder.as_uri() if request.param == "a file" else elsewhere
    return chats["run"], f"{page}/index.html?{chats['run'].url}"


def lines(page: Page):
    return page.locator("#message-container div")


@pytest.mark.parametrize("transports", ["", "#polling", "#websocket"])
def test_oldest_page_chats_with_todays(visit, place, transports):
    chat, address = place
    oldest, today = visit(address + transports), visit(chat.url + "/r/lobby")
    enter_name(today, "Newer")
    expect(today.locator("#message")).to_be_visible()
    enter_name(oldest, "newer")
    expect(oldest.locator("#error-container")).to_have_text(
        "newer username is taken! Try some other username."
    )
    enter_name(oldest, "Older")
    expect(oldest.locator("#message")).to_be_visible()
    expect(user_names(today)).to_have_text(["Newer", "Older"])
    before = message_texts(today).count()
    send(oldest, "Hello from <b>then</b> \U0001f600")
    send(today, "Hello from now")
    expect(lines(oldest)).to_have_text(
        ["Older: Hello from <b>then</b> \U0001f600", "Newer: Hello from now"]
    )
    expect(messages(today)).to_have_count(before + 2)
    expect(messages(today).nth(-2)).to_contain_text(re.compile("Older.*Hello from <b>then", re.S))
    expect(messages(today).last).to_contain_text("Hello from now")
    oldest.context.close()
    expect(user_names(today)).to_have_text(["Newer"])
    today.context.close()


def test_oldest_client_sends_cookies_across_origins(browser, chats, elsewhere):
    """Client 2.3.1 always polls with credentials."""
    url = chats["run"].url
    context = browser.new_context()
    context.add_cookies([{"name": "a", "value": "cookie", "url": url}])
    page = context.new_page()
    with page.expect_response(lambda answer: "transport=polling" in answer.url) as polled:
        page.goto(f"{elsewhere}/index.html?{url}")
    page.wait_for_selector("body.is-ready")
    asked, headers = polled.value.request.all_headers(), polled.value.all_headers()
    assert (asked["origin"], asked["cookie"]) == (elsewhere, "a=cookie")
    assert headers["access-control-allow-origin"] == elsewhere
    assert headers["access-control-allow-credentials"] == "true"
    context.close()
