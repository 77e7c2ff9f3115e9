"""The chat with a page that counts live objects of its process.

Use it to test for leaks (`support.chaos.fuzz.find_leaks`).
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections import Counter
from contextlib import suppress

from gevent import get_hub
from gevent.monkey import is_module_patched
from greenlet import greenlet

from chatapp import create_app
from chatapp.transport.eio.session import Session
from chatapp.transport.loop.clock import Timer
from chatapp.transport.loop.outbox import Outbox
from chatapp.transport.websocket.protocol import WebSocket
from chatapp.transport.websocket.transport import WebSocketTransport

COUNTED = (WebSocketTransport, Session, Outbox, Timer, WebSocket)

app = create_app()


@app.get("/alive")
def alive() -> dict[str, int]:
    """Count connections and their parts, busy greenlets, threads, and files but the store's.

    First return free memory to the system, so that resident memory is memory in use.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    found = Counter(type(thing) for thing in gc.get_objects())
    greenlets = [thing for thing in gc.get_objects() if isinstance(thing, greenlet) and thing]
    workers = app.extensions["socketio"].server.eio.runtime.workers
    counts = {kind.__name__: found[kind] for kind in COUNTED}
    counts["greenlet"] = len(greenlets) - len(workers.idle if workers else [])
    counts["thread"] = len(os.listdir("/proc/self/task")) - pooled_threads()
    counts["file"] = sum("chat.sqlite3" not in name for name in open_files())
    return counts


def pooled_threads() -> int:
    """Return the size of gevent's thread pool, which grows as needed.

    gevent's `threading` would also count greenlets.
    """
    return get_hub().threadpool.size if is_module_patched("threading") else 0


def open_files() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found
