"""An Engine.IO server over our transports, with python-engineio's interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from engineio import packet as engineio_packet
from engineio.packet import Packet

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
from chatapp.transport.eio.packet import JSON
from chatapp.transport.eio.polling import Answer, poll, post
from chatapp.transport.eio.sender import encoded_frame
from chatapp.transport.eio.session import Session
from chatapp.transport.eio.sessions import SessionServer
from chatapp.transport.eio.upgrade import Probe
from chatapp.transport.http.guard import RequestGuard
from chatapp.transport.http.servers import finish_request_error, server_socket
from chatapp.transport.websocket.handshake import (
    HandshakeError,
    accept,
    connection_options,
    is_upgrade,
)
from chatapp.transport.websocket.protocol import POLICY_VIOLATION, WebSocket
from chatapp.transport.websocket.transport import WebSocketTransport

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class EngineServer(SessionServer):
    """An Engine.IO server that is strict and bounds what clients may do.

    Its options besides those of engineio.Server, with times in seconds:

    - `origin_allowed(origin, environ)`: whether a page of that origin may connect; the origin of a
      program is None.
    - `max_connections`, `max_connections_per_address`: bounds on sessions; 0 is no bound. Loopback
      addresses have no bound of their own unless `limit_loopback` is true.
    - `outbox_bytes`, `stall`, `request_timeout`, `packet_limit`: see loop.limits.Limits.
    - `allow_eio3`: whether to take sessions of protocol 3 as well.

    `refused` counts what was refused, by reason.
    """

    def __init__(
        self,
        origin_allowed: Callable[[str | None, WSGIEnvironment], bool] = lambda *_: True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.origin_allowed = origin_allowed
        self.guard = RequestGuard(
            self.runtime.scheduler,
            self.runtime.clock,
            self.runtime.limits.request_timeout,
            self.refused,
        )

    def handle_request(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request as a WSGI application (python-engineio's entry point)."""
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
        except EngineHTTPError as error:
            status = error.status
            kind, text = error.content(upgrade)
            body = text.encode()
            headers += error.headers
        if "wsgi.websocket" in environ:  # the server has sent its 101 already
            environ["wsgi.websocket"].close(POLICY_VIOLATION)
            raise finish_request_error(environ)
        content = [("Content-Type", kind)] if kind else []
        if not status.startswith("204"):
            content.append(("Content-Length", str(len(body))))
        if "close" in connection_options(environ):  # gevent's own server closes without saying so
            headers.append(("Connection", "close"))
        start_response(status, [*content, ("Cache-Control", "no-store"), *headers])
        return [body] if body and environ["REQUEST_METHOD"] != "HEAD" else []

    def _answer(self, environ: WSGIEnvironment, upgrade: bool) -> Answer:
        """Return the status, content type and body of the answer.

        Raises:
            EngineHTTPError: the request is refused.
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
            if query.get("EIO") not in self.protocols:
                raise EngineHTTPError(UNSUPPORTED_PROTOCOL_VERSION)
            return self._handshake(environ, query, upgrade)
        session = self.find_session(sid)
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
        session = self.open_session(query["EIO"], address, query)
        opening = self._opening(session.sid, upgrade)
        if not upgrade:
            session.send(opening)
        verdict = self._trigger_event("connect", session.sid, environ, run_async=False)
        if verdict is not None and verdict is not True:
            self.discard(session)
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
        """Return the open packet ("Handshake"); its times are in milliseconds."""
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
        """Return the 101 that is to be written, or b"" if the server has written it already."""
        if server_socket(environ) is None:
            error = (
                BAD_REQUEST[0],
                "This server gives no access to its sockets; use gunicorn or flask run",
            )
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

    def _answer_final_poll(self, sid: str, polls: bool) -> Answer:
        """Answer a request in a session that has ended, or was never there."""
        final = self.final_packets(sid) if polls else None
        if final is None:
            raise EngineHTTPError(UNKNOWN_SID)
        session, packets = final
        return "200 OK", *session.payload(packets)
