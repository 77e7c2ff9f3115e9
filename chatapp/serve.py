"""The configuration of gunicorn: its settings and hooks (gunicorn's docs, "Settings").

There is one worker process, of the gevent kind. The master reads this module before it forks. So
this module imports nothing that gevent would have to patch.
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

# Each session may have a poll and a POST open, and refusals with 429 are connections, too.
CONNECTIONS = 2 * (settings.max_connections or 10**6) + 1000

bind = str(settings.bind)
worker_class = "gevent"
workers = 1
worker_connections = CONNECTIONS
control_socket_disable = True
keepalive = 10  # seconds; also the time limit of a request's headers
DRAIN_TIME = settings.drain_time if settings.store.is_shared else 0  # else there is no other node
graceful_timeout = 3 + ceil(DRAIN_TIME)  # seconds; the master takes up to 2 more
forwarded_allow_ips = ""  # only CHATAPP_TRUSTED_PROXIES decides about X-Forwarded-*


GC_THRESHOLD = (20_000, 50, 50)
"""Rarer than by default (700, 10, 10): a session is some 20 objects without a cycle."""


def on_starting(server: Any) -> None:
    """Exit with one line if the chat can't work, before a socket is listening."""
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
    """Unload the modules that the master has imported, so that a reload serves new code."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "chatapp"]:
        del sys.modules[module]


def post_worker_init(worker: Any) -> None:
    """Open the store, and prepare the worker for long connections and for a graceful shutdown.

    gunicorn alone would wait for clients to disconnect. gevent-websocket's worker would answer a
    handshake with 101 before the application has checked it.
    """
    import gevent  # noqa: PLC0415 (patched by now)
    from gunicorn.arbiter import Arbiter  # noqa: PLC0415

    # Imported here, as post_fork has unloaded them.
    from chatapp.errors import StoreError, Unavailable  # noqa: PLC0415
    from chatapp.transport.http.accepting import Uncounted  # noqa: PLC0415
    from chatapp.transport.http.gunicorn import guard_worker  # noqa: PLC0415

    try:
        if chat := worker.wsgi.extensions.get("chat"):  # None in another application
            chat.open()
    except StoreError as error:
        worker.log.error("%s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
    except Unavailable:  # the log has the reason
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
    gc.collect()
    gc.freeze()  # so that no collection visits the loaded modules again
    gc.set_threshold(*GC_THRESHOLD)
    worker.closing = gevent.spawn(close_clients, worker)
    engine = worker.wsgi.extensions["socketio"].server.eio
    connections = Uncounted() if settings.trusted_proxies else engine.limiter
    patience = engine.runtime.limits.session_timeout
    guard_worker(worker, connections, engine.runtime.scheduler, patience)
    if "geventwebsocket" in type(worker).__module__:
        worker.server_class.pre_start_hook = hand_over_socket


def close_clients(worker: Any) -> None:
    """Close the clients of `worker` once it is told to stop and accepts no connections.

    If other nodes share the store, the closes are spread over DRAIN_TIME. The worker has ended
    before that is over.
    """
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
    """Close the clients that are left: gunicorn doesn't wait for WebSockets."""
    if hasattr(worker, "wsgi"):  # unless the worker failed to start
        if DRAIN_TIME and worker.wsgi.extensions["socketio"].server.eio.sockets:
            worker.closing.join()
        worker_int(worker)


def worker_int(worker: Any) -> None:
    """Close all clients at the transport, so that they reconnect by themselves, and the store."""
    worker.wsgi.extensions["socketio"].server.eio.stop()
    if chat := worker.wsgi.extensions.get("chat"):
        chat.close()


def hand_over_socket(_server: Any, handler: Any) -> bool:
    """Complete the environment of a request (gevent-websocket's pre_start_hook).

    The result tells the worker that the application does the handshake. The body ends where the
    request does: for an upgrade, gevent would pass the raw bytes of the connection instead.
    SERVER_NAME is the address that the server listens on, as under gunicorn's own worker.
    """
    if handler.server.server_host:
        handler.environ["SERVER_NAME"] = handler.server.server_host
    handler.environ["gunicorn.sock"] = handler.socket
    handler.environ["wsgi.input"] = handler.wsgi_input
    handler.environ["wsgi.input_terminated"] = True
    return True


def check_free(address: Any) -> None:
    """Exit with one line if the process can't listen on `address`."""
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
    """Raise the soft limit of open files to the hard one, and warn if that is too low."""
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
