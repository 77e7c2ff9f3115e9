"""The chat with a page that measures how long its event loop is blocked."""

from __future__ import annotations

import time

import gevent

from wsgi import app

INTERVAL = 0.002  # seconds
lags: list[float] = []


def measure() -> None:
    while True:
        due = time.perf_counter() + INTERVAL
        gevent.sleep(INTERVAL)
        lags.append(time.perf_counter() - due)


@app.get("/lag")
def lag() -> dict[str, float]:
    """Return the longest lag since the last request in ms; the first one starts measuring."""
    if not lags:
        gevent.spawn(measure)
        lags.append(0)
    worst = max(lags) * 1000
    lags[:] = [0]
    return {"lag": worst}
