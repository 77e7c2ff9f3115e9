"""python-socketio's server and Flask-SocketIO over EngineServer, with strict parsing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import flask_socketio
import socketio
from engineio import packet as engineio_packet
from flask import Flask
from socketio import packet as socketio_packet

from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Session
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.http.guard import RequestGuard
from chatapp.transport.logs import ErrorsOnly
from chatapp.transport.sio import protocol4
from chatapp.transport.sio.client import ClientState
from chatapp.transport.sio.environ import kept_environ
from chatapp.transport.sio.manager import RoomManager
from chatapp.transport.sio.packet import HEAD, RESERVED_EVENTS, Packet

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

ACK = str(socketio_packet.ACK)
CONNECT_ANSWERS = (socketio_packet.CONNECT, socketio_packet.CONNECT_ERROR)
MAX_CONNECTS = 100
"""CONNECT packets of one session.

No client enters that many namespaces, and the application's rate limits don't count these packets.
"""


class SocketIOServer(socketio.Server):  # type: ignore[misc]
    """A Socket.IO server (protocol 5, and 4 for clients of Engine.IO 3).

    A client that breaks the protocol loses its session. `connect_timeout`: seconds that a session
    may be in no namespace.

    A namespace handler may have a method `reserved_event(event, sid, *arguments)`. It is called
    when a client sends an event with a reserved name; other handlers don't get such an event.
    Handlers see a part of the client's WSGI environ (environ.KEPT_KEYS).
    """

    def __init__(self, connect_timeout: float = 10.0, **options: Any) -> None:
        self._connect_timeout = connect_timeout
        defaults = {"logger": ErrorsOnly(logger), "serializer": Packet, "async_handlers": False}
        super().__init__(**{"client_manager": RoomManager(), **defaults, **options})

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        super()._handle_eio_connect(eio_sid, kept_environ(environ))
        session = self.eio.sockets.get(eio_sid)
        if session:  # else it's a test client's
            session.attachment = ClientState()
            self._expect_connect(session)
            if session.protocol == protocol4.ENGINE_PROTOCOL:
                session.inbox.put(protocol4.CONNECT)

    def _expect_connect(self, session: Session) -> None:
        """Give the session its time to enter a namespace."""
        state = session.attachment  # a ClientState
        state.stop_timer()
        end = partial(self._end_idle, session.sid)
        state.idle_timer = self.eio.runtime.clock.call_later(self._connect_timeout, end)

    def _end_idle(self, eio_sid: str) -> None:
        session = self.eio.sockets.get(eio_sid)
        if session and not self._is_in_a_namespace(eio_sid):
            self.eio.runtime.spawn(self.eio.disconnect, eio_sid)

    def _is_in_a_namespace(self, eio_sid: str) -> bool:
        namespaces = list(self.manager.get_namespaces())
        return any(self.manager.sid_from_eio_sid(eio_sid, name) for name in namespaces)

    def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Take a packet from a client (protocol 5, "Exchange protocol").

        Raises:
            MalformedPacket: it isn't a packet, or the client may not send it now.
        """
        packet = self._binary_packet.pop(eio_sid, None)
        if packet is not None:
            complete = self._add_attachment(packet, data)
        elif not data:
            raise MalformedPacket("an empty message")
        elif self._is_unawaited(eio_sid, data):
            return
        else:
            packet = self.packet_class(encoded_packet=data)
            complete = not packet.attachment_count
            if packet.namespace and "?" in packet.namespace and self._speaks_4(eio_sid):
                protocol4.take_query(packet)
        if packet.packet_type == socketio_packet.CONNECT:
            self._handle_connect(eio_sid, packet.namespace, packet.data)
        elif not self.manager.sid_from_eio_sid(eio_sid, packet.namespace or "/"):
            raise MalformedPacket("not connected to this namespace")
        elif not complete:
            self._binary_packet[eio_sid] = packet
        elif packet.packet_type == socketio_packet.DISCONNECT:
            self._handle_disconnect(eio_sid, packet.namespace, self.reason.CLIENT_DISCONNECT)
            if session := self.eio.sockets.get(eio_sid):
                self._expect_connect(session)
        elif packet.packet_type in (socketio_packet.EVENT, socketio_packet.BINARY_EVENT):
            self._handle_event(eio_sid, packet.namespace, packet.id, packet.data)
        else:
            self._handle_ack(eio_sid, packet.namespace, packet.id, packet.data)

    def _add_attachment(self, packet: Packet, data: Any) -> bool:
        """Add an attachment to a packet, and return whether the packet is complete."""
        if not isinstance(data, bytes):
            raise MalformedPacket("text where an attachment was promised")
        if sum(map(len, [*packet.attachments, data])) > self.eio.max_http_buffer_size:
            raise MalformedPacket("attachments over the bound")
        return packet.add_attachment(data)

    def _is_unawaited(self, eio_sid: str, data: Any) -> bool:
        """Return whether it is an ACK that no callback awaits, so that nothing need parse it."""
        head = HEAD.match(data) if isinstance(data, str) and data[0] == ACK else None
        if head is None or data[head.end() : head.end() + 1] != "[":
            return False
        namespace = head[3] or "/"
        if "?" in namespace and self._speaks_4(eio_sid):
            namespace = protocol4.without_query(namespace)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        return sid is not None and int(head[4] or -1) not in self.manager.callbacks.get(sid, ())

    def _speaks_4(self, eio_sid: str) -> bool:
        """Return whether a client speaks Socket.IO 4."""
        session = self.eio.sockets.get(eio_sid)
        return session is not None and session.protocol == protocol4.ENGINE_PROTOCOL

    def _send_packet(self, eio_sid: str, packet: Packet) -> None:
        """Send a packet to one client (python-socketio's name)."""
        if packet.packet_type in CONNECT_ANSWERS and self._speaks_4(eio_sid):
            packet = protocol4.connect_answer(packet)
        encoded = packet.encode()
        for part in encoded if isinstance(encoded, list) else (encoded,):
            self.eio.send_packet(eio_sid, engineio_packet.Packet(engineio_packet.MESSAGE, part))

    def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        name = namespace or "/"
        if self.manager.sid_from_eio_sid(eio_sid, name):
            raise MalformedPacket("connected to this namespace already")
        session = self.eio.sockets.get(eio_sid)
        if session:
            session.attachment.connects += 1
            if session.attachment.connects > MAX_CONNECTS:
                raise MalformedPacket("too many CONNECTs")
        if name in self.namespace_handlers or name in self.handlers:
            self._enter(eio_sid, name, data)
            if session and self.manager.sid_from_eio_sid(eio_sid, name):
                session.attachment.stop_timer()
            return
        refusal = {"message": "Invalid namespace"}
        packet = self.packet_class(socketio_packet.CONNECT_ERROR, refusal, namespace=name)
        self._send_packet(eio_sid, packet)

    def _enter(self, eio_sid: str, namespace: str, data: Any) -> None:
        """Run the `connect` handler and answer the CONNECT packet (see RoomManager).

        If the handler fails, the client is not connected. If the session has ended meanwhile, the
        client is disconnected again, so that its `disconnect` handler runs as well.
        """
        session, environ = self.eio.sockets.get(eio_sid), self.environ.get(eio_sid)
        try:
            super()._handle_connect(eio_sid, namespace, data)
        except Exception:
            sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
            if not self.manager.is_connected(sid, namespace):
                self.manager.disconnect(sid, namespace, ignore_queue=True)
            raise
        if session and session.closed:
            self.environ[eio_sid] = environ  # handlers read it
            self._handle_disconnect(eio_sid, namespace, session.reason)
            self.environ.pop(eio_sid, None)

    def _handle_event_internal(
        self,
        server: SocketIOServer,
        sid: str,
        eio_sid: str,
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002
    ) -> None:
        if isinstance(data[0], str) and data[0] not in RESERVED_EVENTS:
            super()._handle_event_internal(server, sid, eio_sid, data, namespace, id)
            return
        handler = self.namespace_handlers.get(namespace)
        refuse = getattr(handler, "reserved_event", None)
        answer = refuse(data[0], sid, *data[1:]) if refuse else None
        if answer is not None and id is not None:
            packet = self.packet_class(socketio_packet.ACK, [answer], namespace, id)
            self._send_packet(eio_sid, packet)


class Middleware(flask_socketio._SocketIOMiddleware):  # type: ignore[misc]
    """Flask-SocketIO's middleware, with our guard in front of the application.

    It also does without the class that python-engineio's middleware defines in each request.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["flask.app"] = self.flask_app
        if environ["PATH_INFO"].startswith(self.engineio_path):
            answer: Iterable[bytes] = self.engineio_app.handle_request(environ, start_response)
            return answer
        guard: RequestGuard = self.engineio_app.eio.guard
        return guard.answer(self.wsgi_app, environ, start_response)


class SocketIO(flask_socketio.SocketIO):  # type: ignore[misc]
    """Flask-SocketIO's SocketIO over SocketIOServer, with the same interface."""

    def init_app(self, app: Flask, **options: Any) -> None:
        """Serve `app`'s Socket.IO at /socket.io/, with the options of SocketIOServer."""
        self.server = SocketIOServer(**{**self.server_options, **options})
        self.async_mode = self.server.async_mode
        for event, handler, namespace in self.handlers:
            self.server.on(event, handler, namespace=namespace)
        for namespace_handler in self.namespace_handlers:
            self.server.register_namespace(namespace_handler)
        app.extensions["socketio"] = self
        self.sockio_mw = Middleware(self.server, app)
        app.wsgi_app = self.sockio_mw  # type: ignore[method-assign]
