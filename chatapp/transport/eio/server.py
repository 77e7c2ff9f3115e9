"""An Engine.IO server over our transports, as python-engineio's users know it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

import engineio
from engineio import packet as engineio_packet
from engineio.packet import Packet
from gevent.monkey import is_module_patched

from chatapp.transport.eio import eio3
from chatapp.transport.eio.http_errors import (
    BAD_HANDSHAKE_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    JSONP,
    UNKNOWN_SID,
    UNKNOWN_TRANSPORT,
    UNSUPPORTED_PROTOCOL_VERSION,
    EngineHTTPError,
    cors_headers,
)
from chatapp.transport.eio.limiter import ConnectionLimiter
from chatapp.transport.eio.packet import JSON
from chatapp.transport.eio.polling import Answer, poll, post
from chatapp.transport.eio.session import Reason, Session, encoded_frame
from chatapp.transport.eio.upgrade import Probe
from chatapp.transport.http.guard import RequestGuard
from chatapp.transport.http.servers import finish_request_error, server_socket
from chatapp.transport.loop.limits import Limits
from chatapp.transport.loop.meter import MeterRate
from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.handshake import (
    HandshakeError,
    accept,
    connection_options,
    is_upgrade,
)
from chatapp.transport.websocket.protocol import WebSocket
from chatapp.transport.websocket.transport import WebSocketTransport

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

STOP_SECONDS = 1.5
"""Less than a server gives a worker to leave, the second in which it sees that it should too."""
logger = logging.getLogger(__name__)
logger.setLevel(logging.ERROR)  # below that, the libraries log what clients send as it comes


class EngineServer(engineio.Server):  # type: ignore[misc]
    """An Engine.IO server, bounded and strict.

    `origin_allowed(origin, environ)` says whether a page of that origin (None: a program) may
    connect. `max_connections` and `max_connections_per_address` bound sessions (0: no bound;
    loopback addresses have none of their own unless `limit_loopback`); `outbox_bytes` and `stall`
    (seconds) bound what waits for a client that doesn't read; `request_timeout` (seconds) a
    request's body, an upgrade, and how long a client may take for each part of an answer.
    `allow_eio3`: sessions of protocol 3, too. `packet_limit` bounds what one session may send, of
    any kind (None: no bound); one that sends more is closed. The other options are
    engineio.Server's. `refused` counts what was refused, by reason.
    """

    def __init__(
        self,
        origin_allowed: Callable[[str | None, WSGIEnvironment], bool] = lambda *_: True,
        max_connections: int = 0,
        max_connections_per_address: int = 0,
        limit_loopback: bool = False,
        outbox_bytes: int = 131072,
        stall: float = 2.0,
        request_timeout: float = 10.0,
        allow_eio3: bool = False,
        packet_limit: MeterRate | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**{"logger": logger, "monitor_clients": False, **options})
        self.origin_allowed = origin_allowed
        kinds = [Session, eio3.EIO3Session] if allow_eio3 else [Session]
        self.sessions = {kind.protocol: kind for kind in kinds}
        limits = Limits(
            outbox_bytes,
            stall,
            request_timeout,
            self.max_http_buffer_size,
            packet_limit,
            self.ping_interval,
            self.ping_timeout,
        )
        gevent = self.async_mode == "gevent"
        self.runtime = Runtime(limits, self.start_background_task, self.create_event, gevent)
        self.refused = self.runtime.refused
        self.guard = RequestGuard(
            self.runtime.scheduler, self.runtime.clock, request_timeout, self.refused
        )
        self.limiter = ConnectionLimiter(
            max_connections, max_connections_per_address, self.refused, limit_loopback
        )
        self._closing_sessions: dict[str, Session] = {}

    def async_modes(self) -> list[str]:
        """Gevent only where it has patched the process; else threads, each its own stack."""
        return ["gevent", "threading"] if is_module_patched("socket") else ["threading"]

    def handle_request(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request, as a WSGI application (python-engineio's entry point)."""
        return self.guard.answer(self._respond, environ, start_response)

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN")
        allowed = self.origin_allowed(origin, environ)
        headers = cors_headers(origin, environ) if allowed and origin else []
        upgrade = is_upgrade(environ)
        try:
            if not allowed:
                raise EngineHTTPError(FORBIDDEN, "403 Forbidden")
            status, kind, body = self._answer(environ, upgrade)
        except EngineHTTPError as refused:
            status = refused.status
            kind, words = refused.content(upgrade)
            body = words.encode()
            headers += refused.headers
        if "wsgi.websocket" in environ:  # its 101 has gone before anybody asked us
            environ["wsgi.websocket"].close(1008)
            raise finish_request_error(environ)
        content = [("Content-Type", kind)] if kind else []
        if not status.startswith("204"):
            content.append(("Content-Length", str(len(body))))
        if "close" in connection_options(environ):  # gevent's own server closes without saying so
            headers.append(("Connection", "close"))
        start_response(status, [*content, ("Cache-Control", "no-store"), *headers])
        return [body] if body and environ["REQUEST_METHOD"] != "HEAD" else []

    def _answer(self, environ: WSGIEnvironment, upgrade: bool) -> Answer:
        """The status, content type and body of the answer.

        Raises:
            EngineHTTPError: it's an error.
        """
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return "204 No Content", "", b""
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        transport = query.get("transport")
        if transport not in ("polling", "websocket") or transport not in self.transports:
            raise EngineHTTPError(UNKNOWN_TRANSPORT)
        websocket_asked = transport == "websocket"
        sid = query.get("sid")
        if not sid:
            if method != "GET":
                raise EngineHTTPError(BAD_HANDSHAKE_METHOD)
            if websocket_asked != upgrade:
                raise EngineHTTPError(BAD_REQUEST)
            if query.get("EIO") not in self.sessions:
                raise EngineHTTPError(UNSUPPORTED_PROTOCOL_VERSION)
            return self._handshake(environ, query, upgrade)
        session = self.sockets.get(sid)
        if session and session.is_overdue:
            session.close(reason=Reason.PING_TIMEOUT)
            session = None
        if session is None:
            polls = method == "GET" and not (websocket_asked or upgrade)
            return self._answer_final_poll(sid, polls)
        fits = query.get("EIO") == session.protocol and websocket_asked == upgrade
        if not fits or (session.websocket and not upgrade):
            raise EngineHTTPError(BAD_REQUEST)
        if upgrade:
            return self._upgrade(environ, session)
        if method == "GET":
            return poll(session, environ)
        if method == "POST":
            return post(session, environ)
        raise EngineHTTPError(BAD_REQUEST)

    def _handshake(self, environ: WSGIEnvironment, query: dict[str, str], upgrade: bool) -> Answer:
        if "j" in query:
            raise EngineHTTPError(JSONP)
        address = environ.get("REMOTE_ADDR", "")
        response = self._accept(environ) if upgrade else b""
        self.limiter.enter(address)
        kind = self.sessions[query["EIO"]]
        session = kind(self.runtime, self, self.generate_id(), address)
        session.configure(query)
        self.sockets[session.sid] = session
        opening = self._opening(session.sid, upgrade)
        if not upgrade:
            session.send(opening)
        verdict = self._trigger_event("connect", session.sid, environ, run_async=False)
        if verdict is not None and verdict is not True:
            session.discard()
            self._drop(session)
            raise EngineHTTPError(
                (FORBIDDEN[0], str(verdict or "Unauthorized")), "401 Unauthorized"
            )
        if not upgrade:
            return poll(session, environ)
        websocket = self._websocket(environ)
        websocket.open(session, response + encoded_frame(opening))
        if not session.attach(websocket):
            websocket.close()
        if not websocket.survives_request(environ):
            websocket.run()
        raise finish_request_error(environ)

    def _opening(self, sid: str, upgraded: bool) -> Packet:
        """The open packet ("Handshake"). Times are in ms."""
        fields = {
            "sid": sid,
            "upgrades": ["websocket"] if not upgraded and self.allow_upgrades else [],
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        return Packet(engineio_packet.OPEN, JSON.dumps(fields))

    def _upgrade(self, environ: WSGIEnvironment, session: Session) -> NoReturn:
        if not self.allow_upgrades:
            raise EngineHTTPError(BAD_REQUEST)
        response = self._accept(environ)
        websocket = self._websocket(environ)
        probe = Probe(session, websocket)
        websocket.open(probe, response)
        probe.begin()
        if not websocket.survives_request(environ):
            websocket.run()
        raise finish_request_error(environ)

    def _accept(self, environ: WSGIEnvironment) -> bytes:
        """The 101 that is to be written first, where the server hasn't done so."""
        if server_socket(environ) is None:
            error = (3, "This server gives no access to its sockets; use gunicorn or flask run")
            raise EngineHTTPError(error, "501 Not Implemented")
        if "wsgi.websocket" in environ:
            return b""
        try:
            return accept(environ)
        except HandshakeError as refusal:
            raise EngineHTTPError(BAD_REQUEST, refusal.status, *refusal.headers) from None

    def _websocket(self, environ: WSGIEnvironment) -> WebSocketTransport:
        sock = server_socket(environ)
        assert sock
        return WebSocketTransport(sock, WebSocket(self.max_http_buffer_size), self.runtime)

    def on_message(self, session: Session, message: Any) -> None:
        """Hand a message to the application; what it raises is the caller's (session.Owner)."""
        handler = self.handlers.get("message")
        if handler:
            handler(session.sid, message)

    def on_closed(self, session: Session, keep_for_final_poll: bool) -> None:
        """Remove a session that has closed (session.Owner)."""
        self._drop(session)
        if keep_for_final_poll:
            self._closing_sessions[session.sid] = session
            patience = self.runtime.limits.session_timeout
            self.runtime.clock.call_later(
                patience, lambda: self._closing_sessions.pop(session.sid, None)
            )
        self._trigger_event("disconnect", session.sid, session.reason, run_async=False)

    def _drop(self, session: Session) -> None:
        self.sockets.pop(session.sid, None)
        self.limiter.leave(session.address)

    def _answer_final_poll(self, sid: str, polls: bool) -> Answer:
        session = self._closing_sessions.get(sid) if polls else None
        packets = session.take() if session else []
        if not session or not packets:
            raise EngineHTTPError(UNKNOWN_SID)
        return "200 OK", *session.payload(packets)

    def disconnect(self, *sids: str | None) -> None:
        """End these clients' sessions, or all if none is given, without waiting for what is still
        to be sent; None is the session of one who has gone."""
        for sid in sids or list(self.sockets):
            if session := self.sockets.get(sid):
                session.close(reason=Reason.SERVER_DISCONNECT)

    def drain(self, seconds: float) -> None:
        """Take no more sessions, and close those that there are at the transport, spread over that
        time, in any order; what is being handled is finished."""
        self.limiter.stopping = True
        begun, sessions = monotonic(), list(self.sockets.values())
        random.shuffle(sessions)
        for number, session in enumerate(sessions):
            self.sleep(max(0, begun + seconds * number / len(sessions) - monotonic()))
            session.pause_reading()
            self.start_background_task(self._close_when_done, session)

    def _close_when_done(self, session: Session) -> None:
        until = monotonic() + STOP_SECONDS
        while session.inbox.busy and monotonic() < until:
            self.sleep(0.01)
        session.close(reason=Reason.SERVER_DISCONNECT)

    def stop(self) -> None:
        """Take no more sessions, finish what is being handled, for at most STOP_SECONDS, and close
        all at the transport, so that clients come back."""
        self.limiter.stopping = True
        sessions = list(self.sockets.values())
        for session in sessions:
            session.pause_reading()
        until = monotonic() + STOP_SECONDS
        while any(session.inbox.busy for session in sessions) and monotonic() < until:
            self.sleep(0.01)
        self.disconnect()
