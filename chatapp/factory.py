"""The application factory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from flask_compress import Compress

from chatapp.chat.rules import Chat
from chatapp.config import Settings, read
from chatapp.store import store_of
from chatapp.transport.http.accepting import bound_threads
from chatapp.transport.loop.meter import MeterRate
from chatapp.transport.sio.server import SocketIO
from chatapp.web import pages, security
from chatapp.web.audience import SocketAudience
from chatapp.web.namespace import ChatNamespace

HERE = Path(__file__).parent
COMPRESSION = {"COMPRESS_ALGORITHM_STREAMING": ["br", "zstd", "deflate"], "COMPRESS_BR_LEVEL": 5}
"""Defaults for Flask-Compress: answers are smaller than with its own, in the same time."""


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Create a Flask application that serves the chat.

    `config` has settings by their names without CHATAPP_ (docs/operating.md), which take precedence
    over the environment, and the keys of Flask and its extensions. The application's SocketIO is
    `app.extensions["socketio"]`. No file or connection is opened, and applications share nothing.

    Raises:
        errors.SettingError: a setting's value is bad; one line that says what is expected.
    """
    settings = read(config)
    app = create_flask(config)
    socketio = create_socketio(app, settings)
    audience = SocketAudience(socketio.server)
    log, roster, broadcaster = store_of(settings, Path(app.instance_path), audience)
    chat = app.extensions["chat"] = Chat(log, roster, broadcaster, audience, settings)
    socketio.on_namespace(ChatNamespace("/", chat))
    app.register_blueprint(pages.page_blueprint(settings.title, settings.max_message_chars))
    app.register_blueprint(pages.health_blueprint(log))
    security.init_app(app, settings.trusted_proxies, settings.hosts)
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        # Longer than a request's body may take: Werkzeug logs a read that times out.
        patience = settings.ping_interval + settings.ping_timeout
        bound_threads(max(patience, 2 * socketio.server.eio.runtime.limits.request_timeout))
    return app


def create_flask(config: Mapping[str, Any] | None) -> Flask:
    """Create the Flask application, with templates, static files and compression."""
    places = (HERE / "templates", HERE.parent / "templates")  # in a wheel, and in this tree
    templates = next(place for place in places if place.is_dir())
    path = pages.static_path()
    app = Flask("chatapp", template_folder=str(templates), static_url_path=path)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None if app.debug else pages.FOR_EVER
    app.config.from_mapping(config)
    for name, value in COMPRESSION.items():
        app.config.setdefault(name, value)
    Compress(app)
    return app


def create_socketio(app: Flask, settings: Settings) -> SocketIO:
    """Create the Socket.IO server of `app`, bounded by the settings."""
    return SocketIO(
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
