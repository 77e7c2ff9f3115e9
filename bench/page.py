"""Measure the page in Debian's Chromium (`make bench-page`).

The figures are:

- the size of the first load;
- the time to the first message on slow networks;
- how smoothly a long log scrolls from its end to its start.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.chaos.load import Client  # noqa: E402
from support.servers import UNLIMITED, Server  # noqa: E402

RESULTS = Path(__file__).with_name("page-results.md")
ROUNDS = 5
ALONE = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
MESSAGES = 10_000
SCROLL_LIMIT = 600.0  # seconds
NETWORKS = {  # bits a second down and up, and ms of a round trip
    "3G as in WebPageTest": (1_600_000, 768_000, 300),
    "fast 3G as in WebPageTest": (1_600_000, 768_000, 150),
    "fast 3G as in Lighthouse (562 ms a request)": (1_474_560, 675_000, 562.5),
}
RECORD_LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longTasks.push(duration);
}).observe({ type: "longtask", buffered: true });
"""

MARK_FIRST_MESSAGE = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#message-container .message")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.paintedAt = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""


def first_load(browser: Browser, url: str) -> tuple[int, int]:
    """Return the requests of a first visit and the compressed bytes of their responses."""
    context, network = window(browser)
    sizes: dict[str, int] = {}
    network.on(
        "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]})
    )
    page = context.pages[0]
    page.goto(url)
    page.wait_for_selector("#message-container .message")
    page.wait_for_timeout(500)
    context.close()
    return len(sizes), sum(sizes.values())


def first_message(browser: Browser, url: str, conditions: tuple[float, float, float]) -> float:
    """Return the seconds from a first visit's start until a message is painted."""
    context, network = window(browser)
    down, up, latency = conditions
    network.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": latency,
            "downloadThroughput": down / 8,
            "uploadThroughput": up / 8,
        },
    )
    page = context.pages[0]
    page.add_init_script(MARK_FIRST_MESSAGE)
    page.goto(url, wait_until="commit")
    page.wait_for_selector("#message-container .message", state="visible")
    page.wait_for_function("window.paintedAt")
    painted_at = float(page.evaluate("window.paintedAt"))
    context.close()
    return painted_at / 1000


def window(browser: Browser) -> tuple:
    context = browser.new_context()
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    return context, network


def reading(browser: Browser, url: str) -> tuple[float, float, int]:
    """Scroll a log from end to start; return seconds, the longest task in ms, and most rows."""
    page = browser.new_page()
    page.add_init_script(RECORD_LONG_TASKS)
    page.goto(url)
    page.wait_for_selector("#message-container .message")
    page.evaluate("window.longTasks = []")
    begun, max_rows = time.monotonic(), 0
    while not page.locator("#message-container [data-id='1']").count():
        assert time.monotonic() < begun + SCROLL_LIMIT, "the first message never came"
        page.evaluate("document.getElementById('message-container').scrollTop -= 2000")
        max_rows = max(max_rows, page.locator("#message-container > li").count())
        page.wait_for_timeout(16)
    duration = time.monotonic() - begun
    page.wait_for_timeout(200)
    tasks = page.evaluate("window.longTasks")
    page.close()
    return duration, max(tasks, default=0), max_rows


def fill(server: Server) -> None:
    """Fill the log with MESSAGES of two clients."""
    clients = [Client(server, "Ann"), Client(server, "Bo")]
    for number in range(MESSAGES):
        client = clients[number // 3 % 2]
        client.call(
            "msg", {"message": f"Message {number + 1}: " + "some words of it " * (number % 7 + 1)}
        )


def measure_rounds(measure: Callable[[], float]) -> str:
    figures = [measure() for _ in range(ROUNDS)]
    return f"{statistics.median(figures):.2f} ({min(figures):.2f} to {max(figures):.2f})"


def main() -> None:
    lines = [
        "# Results of `make bench-page`",
        "",
        f"Medians of {ROUNDS} with the least and the greatest, in Debian's Chromium on the",
        f"server's machine. Measured on {time.strftime('%Y-%m-%d')}.",
        "",
        "| figure | goal | measured |",
        "|---|---|---|",
    ]
    say = lambda *cells: lines.append("| " + " | ".join(map(str, cells)) + " |")  # noqa: E731
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server("command", Path(folder), {**UNLIMITED, "RETENTION_MESSAGES": "0"})
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ALONE)
        url = server.url + "/r/lobby"
        try:
            fill(server)
            requests, size = first_load(browser, url)
            say(
                "first load, compressed",
                "at most 100 KB",
                f"{size / 1000:.1f} KB in {requests} requests",
            )
            for name, conditions in NETWORKS.items():
                measured = measure_rounds(lambda: first_message(browser, url, conditions))  # noqa: B023
                say(f"first message painted, s, on {name}", "1.5", measured)
            runs = [reading(browser, url) for _ in range(3)]
            longest = statistics.median(task for _, task, _ in runs)
            seconds = statistics.median(duration for duration, _, _ in runs)
            say(
                f"{MESSAGES:,} messages scrolled from end to start: longest task, ms",
                "at most 50",
                f"{longest:.0f} (0: none over 50)",
            )
            say("… duration, s", "", f"{seconds:.1f}")
            say("… most rows in the DOM", "a few hundred", max(most for _, _, most in runs))
        finally:
            browser.close()
            server.stop()
    RESULTS.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
