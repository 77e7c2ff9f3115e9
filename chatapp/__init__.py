"""A chat over Socket.IO: `create_app` builds the whole of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

HERE = Path(__file__).parent
EXPORTED = {
    "ChatNamespace": "chatapp.web.namespace",
    "UsernameSet": "chatapp.chat.people.usernames",
}


def __getattr__(name: str) -> Any:
    """Import what is exported only when it is asked for (PEP 562), after gevent has patched."""
    if name not in EXPORTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(EXPORTED[name]), name)


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """A Flask application that is the chat; its SocketIO is `app.extensions["socketio"]`.

    `config` holds settings by their names without CHATAPP_ (docs/operating.md), over those of the
    environment, and Flask's own keys. Nothing is opened and nothing is shared with another app.

    Raises:
        config.SettingError: a setting is no good; one line that says what it should be.
    """
    # Imported here, as a server reads chatapp.serve before gevent has patched the process.
    from flask import Flask
    from flask_compress import Compress

    from chatapp.chat.client import Bounds
    from chatapp.chat.rules import Chat
    from chatapp.config import read
    from chatapp.store import store_of
    from chatapp.transport.http.accepting import bound_threads
    from chatapp.transport.loop.meter import MeterRate
    from chatapp.transport.sio.server import SocketIO
    from chatapp.web import pages, security
    from chatapp.web.audience import SocketAudience
    from chatapp.web.namespace import ChatNamespace

    settings = read(config)
    places = (HERE / "templates", HERE.parent / "templates")  # in a wheel, and in this tree
    templates = next(place for place in places if place.is_dir())
    app = Flask(__name__, template_folder=str(templates), static_url_path=pages.static_path())
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None if app.debug else pages.FOR_EVER
    app.config.from_mapping(config)
    # Smaller than what Flask-Compress sends by default, in the same time.
    app.config["COMPRESS_ALGORITHM_STREAMING"] = ["br", "zstd", "deflate"]
    app.config["COMPRESS_BR_LEVEL"] = 5
    Compress(app)

    socketio = SocketIO(
        app,
        origin_allowed=security.origin_rule(settings.allowed_origins),
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        max_http_buffer_size=settings.max_frame_bytes,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
        limit_loopback=settings.limit_loopback,
        packet_limit=MeterRate(*settings.packet_limit) if settings.packet_limit else None,
        allow_eio3=settings.allow_eio3,
    )
    audience = SocketAudience(socketio.server)
    log, roster, broadcaster = store_of(settings, Path(app.instance_path), audience)
    bounds = Bounds(
        settings.max_message_chars,
        settings.message_limit,
        settings.name_limit,
        settings.event_limit,
    )
    chat = app.extensions["chat"] = Chat(log, roster, broadcaster, audience, bounds)
    socketio.on_namespace(ChatNamespace("/", chat))
    app.register_blueprint(pages.blueprint(log, settings.title, settings.max_message_chars))
    security.init_app(app, settings.trusted_proxies)
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        bound_threads(settings.ping_interval + settings.ping_timeout)
    return app
