"""The chat, with a look at how long its loop leaves something undone that is due."""

from __future__ import annotations

import time

import gevent

from wsgi import app

BEAT = 0.002  # seconds
lags: list[float] = []


def beat() -> None:
    while True:
        due = time.perf_counter() + BEAT
        gevent.sleep(BEAT)
        lags.append(time.perf_counter() - due)


@app.get("/lag")
def lag() -> dict[str, float]:
    """The greatest since the last request, in milliseconds; the first begins to look."""
    if not lags:
        gevent.spawn(beat)
        lags.append(0)
    worst = max(lags) * 1000
    lags[:] = [0]
    return {"lag": worst}
