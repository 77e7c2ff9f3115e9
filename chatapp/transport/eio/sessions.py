"""The sessions of an Engine.IO server: how they are opened, ended and stopped."""

from __future__ import annotations

import logging
import random
from time import monotonic
from typing import Any

import engineio
from engineio.packet import Packet
from gevent.monkey import is_module_patched

from chatapp.transport.eio import eio3
from chatapp.transport.eio.limiter import ConnectionLimiter
from chatapp.transport.eio.session import Reason, Session
from chatapp.transport.logs import ErrorsOnly
from chatapp.transport.loop.limits import Limits
from chatapp.transport.loop.meter import MeterRate
from chatapp.transport.loop.runtime import Runtime

STOP_SECONDS = 1.5
"""The time that handlers have when the server stops.

It is a second less than a server gives its worker, which may need that long to notice the stop.
"""
logger = logging.getLogger(__name__)


class SessionServer(engineio.Server):  # type: ignore[misc]
    """Opens sessions of the protocols that are allowed, and ends them.

    `sockets` has the open sessions by their `sid`, as in python-engineio.
    """

    def __init__(
        self,
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
        super().__init__(**{"logger": ErrorsOnly(logger), "monitor_clients": False, **options})
        kinds = [Session, eio3.EIO3Session] if allow_eio3 else [Session]
        self.protocols = {kind.protocol: kind for kind in kinds}
        limits = Limits(
            outbox_bytes=outbox_bytes,
            stall=stall,
            request_timeout=request_timeout,
            max_message_bytes=self.max_http_buffer_size,
            packet_limit=packet_limit,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
        )
        gevent = self.async_mode == "gevent"
        self.runtime = Runtime(limits, self.start_background_task, self.create_event, gevent)
        self.refused = self.runtime.refused
        self.limiter = ConnectionLimiter(
            max_connections, max_connections_per_address, self.refused, limit_loopback
        )
        self._closing_sessions: dict[str, Session] = {}

    def async_modes(self) -> list[str]:
        """Return gevent only if it has patched the process; else threads have their own stacks."""
        return ["gevent", "threading"] if is_module_patched("socket") else ["threading"]

    def open_session(self, protocol: str, address: str, query: dict[str, str]) -> Session:
        """Open a session.

        Raises:
            EngineHTTPError: there are too many, or the server is stopping.
        """
        self.limiter.enter(address)
        session = self.protocols[protocol](self.runtime, self, self.generate_id(), address)
        session.configure(query)
        self.sockets[session.sid] = session
        return session

    def find_session(self, sid: str) -> Session | None:
        """Return an open session. One whose client is overdue is ended first."""
        session: Session | None = self.sockets.get(sid)
        if session and session.is_overdue:
            session.close(reason=Reason.PING_TIMEOUT)
            return None
        return session

    def discard(self, session: Session) -> None:
        """Drop a session that the `connect` handler has refused."""
        session.discard()
        self._remove(session)

    def _remove(self, session: Session) -> None:
        self.sockets.pop(session.sid, None)
        self.limiter.leave(session.address)

    def on_message(self, session: Session, message: Any) -> None:
        """Hand a message to the application (session.Owner); the session catches its errors."""
        handler = self.handlers.get("message")
        if handler:
            handler(session.sid, message)

    def on_closed(self, session: Session, keep_for_final_poll: bool) -> None:
        """Remove a session that has ended (session.Owner)."""
        self._remove(session)
        if keep_for_final_poll:
            self._closing_sessions[session.sid] = session
            self.runtime.clock.call_later(
                self.runtime.limits.session_timeout,
                lambda: self._closing_sessions.pop(session.sid, None),
            )
        self._trigger_event("disconnect", session.sid, session.reason, run_async=False)

    def final_packets(self, sid: str) -> tuple[Session, list[Packet]] | None:
        """Return a session that has ended and the packets that its client hasn't polled for."""
        session = self._closing_sessions.get(sid)
        packets = session.take() if session else []
        return (session, packets) if session and packets else None

    def disconnect(self, *sids: str | None) -> None:
        """End these sessions, or all if none is given, without waiting for unsent packets.

        A None among `sids` names no session: python-socketio has it for a client that has gone.
        """
        for sid in sids or list(self.sockets):
            if session := self.sockets.get(sid):
                session.close(reason=Reason.SERVER_DISCONNECT)

    def drain(self, seconds: float) -> None:
        """Take no more sessions, and close the open ones in random order, spread over a time.

        Messages that are being handled are handled to their end.
        """
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
        """Take no more sessions, and close all at the transport, so that clients reconnect.

        Messages that are being handled have up to STOP_SECONDS to be handled to their end.
        """
        self.limiter.stopping = True
        sessions = list(self.sockets.values())
        for session in sessions:
            session.pause_reading()
        until = monotonic() + STOP_SECONDS
        while any(session.inbox.busy for session in sessions) and monotonic() < until:
            self.sleep(0.01)
        self.disconnect()
