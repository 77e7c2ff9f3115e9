"""How the chat is served: gunicorn's settings and hooks (gunicorn's docs, "Settings").

One process, gevent's worker. The master reads this module before it forks, so it imports nothing
that gevent would have to patch.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import socket
import sys
from math import ceil
from time import monotonic
from typing import Any

from chatapp.config import read
from chatapp.errors import SettingError

try:
    settings = read()
except SettingError as error:
    sys.exit(str(error))

# What is refused with 429, and a poll and a post for each session, are connections too.
CONNECTIONS = 2 * (settings.max_connections or 10**6) + 1000

bind = str(settings.bind)
worker_class = "gevent"
workers = 1
worker_connections = CONNECTIONS
control_socket_disable = True
keepalive = 10  # seconds; a request's headers have no longer, either
DRAIN_TIME = settings.drain_time if settings.store.is_shared else 0  # else nobody takes them
graceful_timeout = 3 + ceil(DRAIN_TIME)  # seconds; the master's own tasks take up to 2 more
forwarded_allow_ips = ""  # X-Forwarded-* is CHATAPP_TRUSTED_PROXIES' matter alone


GC_THRESHOLD = (20_000, 50, 50)
"""Less often than Python's own (700, 10, 10): a session is some 20 objects without a cycle."""


def on_starting(server: Any) -> None:
    """Refuse in one line what can't work, before anything is listening."""
    if server.cfg.workers != 1:
        sys.exit(
            f"--workers {server.cfg.workers}: the chat needs --workers 1, as a client that polls "
            "must find its one process; run several processes with CHATAPP_STORE=redis://…, see "
            "docs/operating.md"
        )
    if server.cfg.preload_app:
        sys.exit("--preload: leave it out; it loads the chat before gevent has patched the process")
    if not server.LISTENERS and not os.environ.keys() & {"GUNICORN_FD", "LISTEN_FDS"}:
        for address in server.cfg.address:
            check_free(address)
    raise_open_files(server.log)


def when_ready(server: Any) -> None:
    for listener in server.LISTENERS:
        server.log.info("The chat is at %s (Ctrl-C ends it)", listener)


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001
    """Forget what the master has read of us, so that a reload serves new code."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "chatapp"]:
        del sys.modules[module]


def post_worker_init(worker: Any) -> None:
    """Open the store. Have clients closed when the worker is told to stop: gunicorn would wait for
    them to leave.

    gevent-websocket's worker leaves handshakes to us, who check them before the 101.
    """
    import gevent  # noqa: PLC0415 (patched by now)
    from gunicorn.arbiter import Arbiter  # noqa: PLC0415

    # As they are by now: see post_fork.
    from chatapp.errors import StoreError, Unavailable  # noqa: PLC0415
    from chatapp.transport.http.accepting import Uncounted  # noqa: PLC0415
    from chatapp.transport.http.gunicorn import guard_worker  # noqa: PLC0415

    try:
        if chat := worker.wsgi.extensions.get("chat"):  # else it's another application
            chat.open()
    except StoreError as error:
        worker.log.error("%s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
    except Unavailable:  # why, the log has said
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
    gc.collect()
    gc.freeze()  # else each collection looks through the loaded modules again
    gc.set_threshold(*GC_THRESHOLD)
    worker.closing = gevent.spawn(close_clients, worker)
    engine = worker.wsgi.extensions["socketio"].server.eio
    connections = Uncounted() if settings.trusted_proxies else engine.admission
    patience = engine.ping_interval + engine.ping_timeout
    guard_worker(worker, connections, engine.scheduler, patience)
    if "geventwebsocket" in type(worker).__module__:
        worker.server_class.pre_start_hook = hand_over_socket


def close_clients(worker: Any) -> None:
    """Once `worker` is told to stop and takes no more connections, close those that there are: on a
    store that others serve too spread over DRAIN_TIME, by the end of which the worker has left."""
    from gevent import sleep  # noqa: PLC0415

    while worker.alive:
        sleep(0.05)
    until = monotonic() + 0.8 * DRAIN_TIME
    for _ in range(40):
        if all(listener.fileno() < 0 for listener in worker.sockets):
            break
        sleep(0.05)
    engine = worker.wsgi.extensions["socketio"].server.eio
    engine.drain(max(0, until - monotonic()))
    worker_int(worker)


def worker_exit(_server: Any, worker: Any) -> None:
    """Where nothing but WebSockets was open, gunicorn has waited for nobody."""
    if hasattr(worker, "wsgi"):  # else it never came to serving
        if DRAIN_TIME and worker.wsgi.extensions["socketio"].server.eio.sockets:
            worker.closing.join()
        worker_int(worker)


def worker_int(worker: Any) -> None:
    """Close all clients at the transport, so that they come back by themselves, and the store."""
    worker.wsgi.extensions["socketio"].server.eio.stop()
    if chat := worker.wsgi.extensions.get("chat"):
        chat.close()


def hand_over_socket(_server: Any, handler: Any) -> bool:
    """gevent-websocket's pre_start_hook; true: the application does the rest.

    It gets the body that the server would read to its end, also where the request asks for an
    upgrade: for that, gevent gives it the connection's raw bytes.
    """
    handler.environ["gunicorn.sock"] = handler.socket
    handler.environ["wsgi.input"] = handler.wsgi_input
    handler.environ["wsgi.input_terminated"] = True
    return True


def check_free(address: Any) -> None:
    """Exit with one line that says so where `address` can't be listened on."""
    if not isinstance(address, tuple):
        return  # the path of a Unix socket, or a descriptor
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            what = (
                "is in use by another program"
                if error.errno == errno.EADDRINUSE
                else (f"can't be listened on ({error.strerror or error})")
            )
            sys.exit(f"{address[0]}:{address[1]} {what}; set CHATAPP_BIND to another HOST:PORT")


def raise_open_files(log: Any) -> None:
    """Raise the soft limit of open files to the hard one, and say so where that is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = settings.max_connections
    if hard != resource.RLIM_INFINITY and hard < wanted:
        log.warning(
            "Only %d files may be open, too few for %d connections; raise the limit (ulimit -n) "
            "or lower CHATAPP_MAX_CONNECTIONS",
            hard,
            wanted,
        )
