"""The page's figures (`make bench-page`): its first load, its first message on a slow network, and
how smoothly a long log is read from its end to its start. In Debian's Chromium, over the chat's own
server."""

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
NETWORKS = {  # bits a second down and up, and ms for each round trip
    "3G as WebPageTest has it": (1_600_000, 768_000, 300),
    "fast 3G as WebPageTest has it": (1_600_000, 768_000, 150),
    "fast 3G as Lighthouse has it (a request waits 562 ms)": (1_474_560, 675_000, 562.5),
}
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longTasks.push(duration);
}).observe({ type: "longtask", buffered: true });
"""

SEEN = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#message-container .message")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.seen = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""


def first_load(browser: Browser, url: str) -> tuple[int, int]:
    """Requests of a first visit, and the bytes of their answers as they came, compressed."""
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
    """Seconds from a first visit's start until a message has been painted, by the page's clock."""
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
    page.add_init_script(SEEN)
    page.goto(url, wait_until="commit")
    page.wait_for_selector("#message-container .message", state="visible")
    while (seen := page.evaluate("window.seen")) is None:
        page.wait_for_timeout(50)
    context.close()
    return float(seen) / 1000


def window(browser: Browser) -> tuple:
    context = browser.new_context()
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    return context, network


def reading(browser: Browser, url: str) -> tuple[float, float, int]:
    """A log read from end to start: seconds, the longest task in ms, most rows in the DOM."""
    page = browser.new_page()
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_selector("#message-container .message")
    page.evaluate("window.longTasks = []")
    begun, most = time.monotonic(), 0
    while not page.locator("#message-container [data-id='1']").count():
        page.evaluate("document.getElementById('message-container').scrollTop -= 2000")
        most = max(most, page.locator("#message-container > li").count())
        page.wait_for_timeout(16)
    taken = time.monotonic() - begun
    page.wait_for_timeout(200)
    tasks = page.evaluate("window.longTasks")
    page.close()
    return taken, max(tasks, default=0), most


def fill(server: Server) -> None:
    """A log of MESSAGES, said by two."""
    clients = [Client(server, "Ann"), Client(server, "Bo")]
    for number in range(MESSAGES):
        client = clients[number // 3 % 2]
        client.call(
            "msg", {"message": f"Message {number + 1}: " + "some words of it " * (number % 7 + 1)}
        )


def several(measure: Callable[[], float]) -> str:
    figures = [measure() for _ in range(ROUNDS)]
    return f"{statistics.median(figures):.2f} ({min(figures):.2f} to {max(figures):.2f})"


def main() -> None:
    lines = [
        "# Results of `make bench-page`",
        "",
        f"Medians of {ROUNDS} (in brackets the least and the greatest), in Debian's Chromium "
        "beside the server on one machine; seen on " + time.strftime("%Y-%m-%d") + ".",
        "",
        "| what | goal | seen |",
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
                seen = several(lambda: first_message(browser, url, conditions))  # noqa: B023
                say(f"first message seen, s, on {name}", "1.5", seen)
            runs = [reading(browser, url) for _ in range(3)]
            longest = statistics.median(task for _, task, _ in runs)
            seconds = statistics.median(taken for taken, _, _ in runs)
            say(
                f"{MESSAGES:,} messages read from end to start: longest task, ms",
                "at most 50",
                f"{longest:.0f} (0: none over 50)",
            )
            say("… seconds that it took", "", f"{seconds:.1f}")
            say("… most rows in the DOM", "a few hundred", max(most for _, _, most in runs))
        finally:
            browser.close()
            server.stop()
    RESULTS.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
