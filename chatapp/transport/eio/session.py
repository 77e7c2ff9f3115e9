"""One Engine.IO session: what waits for its client, what the client sends, and how it ends.

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
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.loop.batching import BatchedOutbox
from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.protocol import NORMAL, frame
from chatapp.transport.websocket.transport import WebSocketTransport

logger = logging.getLogger(__name__)

SEPARATOR = "\x1e"
PACKETS_PER_POLL = 16
"""Packets in one answer. Python's clients drop an answer with more."""
END = object()
"""A message that ends its session once the messages before it are handled."""
Reason = engineio.Server.reason


class Owner(Protocol):
    """The server of a session."""

    def on_message(self, session: Session, message: Any) -> None:
        """Take a message of the client. A MalformedPacket ends the session."""

    def on_closed(self, session: Session, keep_for_final_poll: bool) -> None:
        """Take notice that a session has ended; polls still get its packets if they are kept."""


class Upgrade(Protocol):
    """An upgrade that has begun."""

    answered: bool

    def give_up(self) -> None: ...


class Session:
    """A session as python-engineio's server knows it (engineio.Socket), with a transport of ours.

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
        "closed",
        "inbox",
        "last_poll",
        "lock",
        "outgoing",
        "outgoing_bytes",
        "poll_event",
        "posting",
        "reason",
        "runtime",
        "session",
        "sid",
        "upgrade",
        "websocket",
    )
    protocol: ClassVar[str] = "4"

    def __init__(self, runtime: Runtime, owner: Owner, sid: str, address: str) -> None:
        self.runtime = runtime
        self._owner = owner
        self.sid = sid
        self.address = address
        self.session: dict[str, Any] = {}
        self.attachment: Any = None  # the state of the layer above; has a method `close`
        self.closed = False
        self.reason: str | None = None
        self.websocket: WebSocketTransport | None = None
        self.upgrade: Upgrade | None = None
        self.outgoing: list[Packet] = []
        self.outgoing_bytes = 0
        self.poll_event: Any = None  # the event that a waiting poll waits for
        self.posting = False
        self.last_poll = runtime.clock.now()
        self.lock = runtime.lock()
        self.inbox = Inbox(self)
        self._metered = 0.0  # loop.meter
        self._heartbeat: Heartbeat = self._start_heartbeat()

    def _start_heartbeat(self) -> Heartbeat:
        return Heartbeat(self)

    def configure(self, query: dict[str, str]) -> None:
        """Take the options in the query of the handshake; protocol 4 has none."""

    @property
    def over_websocket(self) -> bool:
        return self.websocket is not None

    upgraded = over_websocket
    """python-engineio's name."""

    @property
    def upgrading(self) -> bool:
        """Whether a probe has been answered, so that polls are answered at once."""
        upgrade = self.upgrade
        return upgrade is not None and upgrade.answered

    @property
    def awaits_poll(self) -> bool:
        return not self.websocket and not self.poll_event

    @property
    def is_overdue(self) -> bool:
        """Whether its client hasn't polled within the session timeout.

        The heartbeat finds that out by its timer, up to a tenth of a second later.
        """
        if not self.awaits_poll:
            return False
        silence = self.runtime.clock.now() - self.last_poll
        return silence >= self.runtime.limits.session_timeout

    @property
    def outbox(self) -> BatchedOutbox | None:
        """The outbox of its WebSocket, if it writes in batches."""
        outbox = self.websocket.outbox if self.websocket else None
        return outbox if isinstance(outbox, BatchedOutbox) else None

    # What goes out

    def send(self, packet: Packet) -> None:
        """Send a packet, or keep it for the next poll. Over the bound, the connection is cut."""
        if self.closed:
            return
        if self.websocket is None:
            with self.lock:
                if self.websocket is None:
                    self._keep(packet)
                    return
        self.websocket.write(encoded_frame(packet))

    def _keep(self, packet: Packet) -> None:
        self.outgoing.append(packet)
        self.outgoing_bytes += len(packet.encode(b64=True))
        if self.outgoing_bytes > self.runtime.limits.outbox_bytes:
            self.cut()
        if self.poll_event:
            self.poll_event.set()

    def take(self) -> list[Packet]:
        """Return the packets for the next poll's answer."""
        with self.lock:
            packets = self.outgoing[:PACKETS_PER_POLL]
            del self.outgoing[:PACKETS_PER_POLL]
            self.outgoing_bytes -= sum(len(packet.encode(b64=True)) for packet in packets)
        return packets

    def payload(self, packets: list[Packet]) -> tuple[str, bytes]:
        """Return the content type and body that carry packets ("HTTP long-polling")."""
        return "text/plain; charset=UTF-8", Payload(packets).encode().encode()

    def begin_upgrade(self, upgrade: Upgrade) -> bool:
        """Take `upgrade` as the one upgrade in progress.

        Return whether the session takes it: it is open, over polling, and has no other.
        """
        with self.lock:
            if self.closed or self.websocket or self.upgrade:
                return False
            self.upgrade = upgrade
        return True

    def attach(self, websocket: WebSocketTransport) -> bool:
        """Move to `websocket`, and send what waits. Return false if it has ended or has moved."""
        with self.lock:
            if self.closed or self.websocket:
                return False
            for packet in self.outgoing:
                websocket.write(encoded_frame(packet))
            self.outgoing.clear()
            self.outgoing_bytes = 0
            self.upgrade = None
            self.websocket = websocket
            websocket.receiver = self
        return True

    def end_upgrade(self, upgrade: Upgrade) -> bool:
        """Stay with polling. Return false if `upgrade` isn't the upgrade in progress."""
        with self.lock:
            if self.upgrade is not upgrade:
                return False
            self.upgrade = None
        return True

    # What comes in

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

    def pause_reading(self) -> None:
        """Stop reading its WebSocket."""
        if self.websocket:
            self.websocket.pause_reading()

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
            logger.exception("a message's handler failed")

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
        if told:
            self.outgoing.append(Packet(engineio_packet.CLOSE))
        # After a ping timeout only a poll that waits at this moment gets the close packet.
        timed_out = self.reason == Reason.PING_TIMEOUT
        # Before the client is told, so that a name is free when its holder's end is seen.
        self._owner.on_closed(self, told and not timed_out)
        if self.websocket:
            self.websocket.close(NORMAL)
        if self.upgrade:
            self.upgrade.give_up()
        if self.poll_event:
            self.poll_event.set()

    def cut(self) -> None:
        """End the session, in a task of its own: too much waits for a client that doesn't read."""
        self.runtime.spawn(self.close, False, True, Reason.TRANSPORT_ERROR)

    def time_out(self) -> None:
        self.runtime.spawn(self.close, False, False, Reason.PING_TIMEOUT)

    def discard(self) -> None:
        """Drop a session that the `connect` handler has refused; `disconnect` doesn't run."""
        self.closed = True
        self._heartbeat.stop()


def encoded_frame(packet: Packet) -> bytes:
    """Return the packet as a WebSocket frame, which is made once for all recipients."""
    finished: bytes | None = getattr(packet, "frame", None)
    if finished is None:
        finished = packet.frame = frame(packet.data if packet.binary else packet.encode())
    return finished
