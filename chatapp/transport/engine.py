"""python-engineio, python-socketio and Flask-SocketIO, with what is ours put under them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import engineio
import flask_socketio
import msgspec
import socketio
from flask import Flask
from socketio.packet import Packet as SocketIOPacket

from chatapp.transport.websocket import WebSocket, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)
logger.setLevel(logging.ERROR)  # below that, the libraries log what clients send as it comes

RESERVED_EVENTS = frozenset(
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
)
"""What no client may send as an event (socket.io-parser, RESERVED_EVENTS)."""


class JSON:
    """JSON as python-socketio wants it, by msgspec, which is faster and writes UTF-8 as it is."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return msgspec.json.encode(value).decode()

    loads = staticmethod(SocketIOPacket.json.loads)


class Packet(SocketIOPacket):  # type: ignore[misc]
    json = JSON


class EngineServer(engineio.Server):  # type: ignore[misc]
    """An Engine.IO server over our WebSocket, which refuses foreign origins with 403.

    `origin_allowed(origin, environ)` says whether a page of that origin may connect.
    """

    def __init__(
        self, origin_allowed: Callable[[str | None, WSGIEnvironment], bool], **options: Any
    ):
        super().__init__(cors_allowed_origins=origin_allowed, **options)
        self._async: dict[str, Any] = {**self._async, "websocket": self._websocket}

    def _websocket(self, handler: Callable[[WebSocket], Any], _server: Any) -> WSGIApplication:
        return endpoint(handler, self.max_http_buffer_size)

    def handle_request(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN")
        if not self.cors_allowed_origins(origin, environ):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This origin may not connect."]
        answer: Iterable[bytes] = super().handle_request(environ, start_response)
        return answer

    def disconnect(self, sid: str | None = None) -> None:
        """End a client's connection, or all, without waiting for what is still to be sent."""
        for client in [sid] if sid else list(self.sockets):
            if client in self.sockets:
                self.sockets[client].close(wait=False, reason=self.reason.SERVER_DISCONNECT)

    def _log_error_once(self, _message: str, message_key: str) -> None:
        logger.info("refused a request: %s", message_key)


class SocketIOServer(socketio.Server):  # type: ignore[misc]
    """A Socket.IO server over EngineServer, which lets no client call `connect` or `disconnect`."""

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    def _handle_event_internal(
        self,
        server: SocketIOServer,
        sid: str,
        eio_sid: str,
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002
    ) -> None:
        if data[0] not in RESERVED_EVENTS:
            super()._handle_event_internal(server, sid, eio_sid, data, namespace, id)
            return
        handler = self.namespace_handlers.get(namespace)
        refuse = getattr(handler, "reserved_event", None)
        answer = refuse(data[0], sid, *data[1:]) if refuse else None
        if answer is not None and id is not None:
            packet = self.packet_class(socketio.packet.ACK, [answer], namespace, id)
            self._send_packet(eio_sid, packet)


class SocketIO(flask_socketio.SocketIO):  # type: ignore[misc]
    """Flask-SocketIO's SocketIO over SocketIOServer; what users of it see stays the same."""

    def init_app(self, app: Flask, **options: Any) -> None:
        """Serve `app`'s Socket.IO at /socket.io/, with the options of SocketIOServer."""
        self.server = SocketIOServer(**{**self.server_options, **options})
        self.async_mode = self.server.async_mode
        for event, handler, namespace in self.handlers:
            self.server.on(event, handler, namespace=namespace)
        for namespace_handler in self.namespace_handlers:
            self.server.register_namespace(namespace_handler)
        app.extensions["socketio"] = self
        self.sockio_mw = flask_socketio._SocketIOMiddleware(self.server, app)
        app.wsgi_app = self.sockio_mw  # type: ignore[method-assign]
