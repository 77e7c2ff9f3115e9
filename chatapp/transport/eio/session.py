"""An Engine.IO session: what its client sends, and how it ends.

polling ── upgrade, one at a time ──▶ probing ── "5" ──▶ websocket ──▶ closed
   │  ◀── fails, or 10 s ───────────────┘                               ▲
   └────────────────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Protocol

import engineio
from engineio import packet as engineio_packet
from engineio.packet import Packet
from engineio.payload import Payload

from chatapp.transport.eio.heartbeat import Heartbeat
from chatapp.transport.eio.inbox import Inbox
from chatapp.transport.eio.packet import decode_engineio
from chatapp.transport.eio.sender import Sender
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.protocol import NORMAL
from chatapp.transport.websocket.transport import WebSocketTransport

logger = logging.getLogger(__name__)

SEPARATOR = "\x1e"
END = object()
"""A message that ends its session once the messages before it are handled."""
Reason = engineio.Server.reason


class Owner(Protocol):
    """The server of a session."""

    def on_message(self, session: Session, message: Any) -> None:
        """Take a message of the client. A MalformedPacket ends the session."""

    def on_closed(self, session: Session, keep_for_final_poll: bool) -> None:
        """Take notice that a session has ended; polls still get its packets if they are kept."""


class Session(Sender):
    """An Engine.IO session, with the interface of engineio.Socket.

    It speaks protocol 4. A subclass overrides what differs in another protocol (eio3.EIO3Session).

    Messages are handled one at a time, in the order in which they came. `close` may be called from
    any task.
    """

    __slots__ = (
        "_heartbeat",
        "_metered",
        "_owner",
        "address",
        "attachment",
        "inbox",
        "reason",
        "session",
        "sid",
    )
    protocol: ClassVar[str] = "4"

    def __init__(self, runtime: Runtime, owner: Owner, sid: str, address: str) -> None:
        super().__init__(runtime)
        self._owner = owner
        self.sid = sid
        self.address = address
        self.session: dict[str, Any] = {}
        self.attachment: Any = None  # the state of the layer above; has a method `close`
        self.reason: str | None = None
        self.inbox = Inbox(self)
        self._metered = 0.0  # loop.meter
        self._heartbeat: Heartbeat = self._start_heartbeat()

    def _start_heartbeat(self) -> Heartbeat:
        return Heartbeat(self)

    def configure(self, query: dict[str, str]) -> None:
        """Take the options in the query of the handshake; protocol 4 has none."""

    upgraded = Sender.over_websocket
    """python-engineio's name."""

    def attach(self, websocket: WebSocketTransport) -> bool:
        """Go on over `websocket`. Return false if the session has ended or has a WebSocket."""
        return self.move_to(websocket, self)

    # Packets in the bodies of requests and answers ("HTTP long-polling")

    def payload(self, packets: list[Packet]) -> tuple[str, bytes]:
        """Return the content type and body that carry packets."""
        return "text/plain; charset=UTF-8", Payload(packets).encode().encode()

    def packets(self, body: bytes, binary: bool) -> list[str] | list[str | bytes]:
        """Return the packets in a POST's body; `binary`: its content type isn't text.

        Raises:
            MalformedPacket: it carries none.
        """
        if binary:
            raise MalformedPacket("this protocol has no such bodies")
        try:
            return body.decode().split(SEPARATOR)
        except UnicodeDecodeError:
            raise MalformedPacket("no UTF-8") from None

    # What the client sends

    def received(self, message: str | bytes) -> None:
        """Take a packet, over either transport. Messages wait in the inbox."""
        try:
            kind, data = decode_engineio(message)
        except MalformedPacket:
            self.inbox.put(END)
            return
        if kind == engineio_packet.MESSAGE:
            self.inbox.put(data)
        elif kind == engineio_packet.PONG:
            self._heartbeat.pong()
        elif kind == engineio_packet.CLOSE:
            self.ended()
        elif kind == engineio_packet.PING:  # only the server pings ("Heartbeat")
            self.inbox.put(END)

    def charge(self, units: int) -> bool:
        """Count what has come over either transport (meter.units_of).

        Return whether the client may send more; if not, the session is to be closed.
        """
        rate = self.runtime.limits.packet_limit
        if rate is None:
            return True
        now = self.runtime.clock.now()
        self._metered = rate.spend(self._metered, units, now)
        if not rate.is_over(self._metered, now):
            return True
        self.runtime.refused["packet_limit"] += 1
        return False

    def ended(self) -> None:
        """Take notice that the client has closed the session or its WebSocket."""
        self.reason = self.reason or Reason.TRANSPORT_CLOSE
        self.inbox.put(END)

    def handle(self, message: Any) -> None:
        """Handle a message from the inbox (inbox.Owner)."""
        if message is END:
            self.close(False, True, self.reason or Reason.TRANSPORT_ERROR)
            return
        try:
            self._owner.on_message(self, message)
        except MalformedPacket:
            self.close(False, True, Reason.TRANSPORT_ERROR)
        except Exception:
            logger.exception("A message's handler failed")

    # Its end

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        """End the session, once; its `disconnect` handler has run when this returns.

        `abort`: what waits to be sent is dropped. `wait` is python-engineio's, and has no effect.
        """
        with self.lock:
            if self.closed:
                return
            self.closed = True
        self.reason = reason or Reason.SERVER_DISCONNECT
        self._heartbeat.stop()
        if self.attachment:
            self.attachment.close()
        told = not abort and not self.websocket
        if told and self.polls:
            self.polls.packets.append(Packet(engineio_packet.CLOSE))
        # After a ping timeout only a poll that waits at this moment gets the close packet.
        timed_out = self.reason == Reason.PING_TIMEOUT
        # Before the client is told, so that a name is free when its holder's end is seen.
        self._owner.on_closed(self, told and not timed_out)
        if self.websocket:
            self.websocket.close(NORMAL)
        if self.upgrade:
            self.upgrade.give_up()
        self.wake_poll()

    def cut(self) -> None:
        self.runtime.spawn(self.close, False, True, Reason.TRANSPORT_ERROR)

    def time_out(self) -> None:
        self.runtime.spawn(self.close, False, False, Reason.PING_TIMEOUT)

    def discard(self) -> None:
        """Drop a session that the `connect` handler has refused; `disconnect` doesn't run."""
        self.closed = True
        self._heartbeat.stop()
