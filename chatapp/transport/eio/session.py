"""One Engine.IO session: what it is owed, what it sent, and whether it lives.

polling ── upgrade, one at a time ──▶ probing ── "5" ──▶ websocket ──▶ closed
   │  ◀── fails, or 10 s ───────────────┘                               ▲
   └────────────────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from engineio import packet as engineio_packet
from engineio.packet import Packet
from engineio.payload import Payload

from chatapp.transport.eio.heartbeat import Heartbeat
from chatapp.transport.eio.packet import decode_engineio
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.loop.batching import Hearer
from chatapp.transport.websocket.channel import Channel
from chatapp.transport.websocket.protocol import NORMAL, frame

if TYPE_CHECKING:
    from chatapp.transport.eio.probe import Probe
    from chatapp.transport.eio.server import EngineServer
    from chatapp.transport.loop.clock import Timer

logger = logging.getLogger(__name__)

SEPARATOR = "\x1e"
PACKETS_PER_POLL = 16
"""How many packets an answer carries: more, and Python clients drop them all."""
WAITING_EVENTS = 64
"""How many messages of one connection may wait to be handled before it isn't read."""

END = object()


class Connection:
    """A session as python-engineio's server knows it (engineio.Socket), with a transport of ours.

    It speaks protocol 4; what another does differently, its class overrides (eio3.Session).

    Messages are handled one at a time, in the order they came. `close` may be called from anywhere.
    """

    __slots__ = (
        *("_at_work", "_handed_over", "_heartbeat", "_inbox", "_metered", "_shift"),
        *("address", "channel", "closed", "connected", "connects", "idle", "last_poll", "lock"),
        *("news", "outgoing", "outgoing_bytes", "posting", "probe", "reason", "server"),
        *("session", "sid"),
    )
    protocol: ClassVar[str] = "4"
    heartbeat: ClassVar[type[Heartbeat]] = Heartbeat

    def __init__(self, server: EngineServer, sid: str, address: str) -> None:
        self.server = server
        self.sid = sid
        self.address = address
        self.session: dict[str, Any] = {}
        self.connected = False
        self.connects = 0  # Socket.IO's, so far
        self.idle: Timer | None = None  # ends it where it's in no namespace of Socket.IO's
        self.closed = False
        self.reason: str | None = None
        self.channel: Channel | None = None
        self.probe: Probe | None = None  # what may become its channel: one at a time
        self.outgoing: list[Packet] = []
        self.outgoing_bytes = 0
        self.news: Any = None  # the event that a waiting poll waits for
        self.posting = False
        self.last_poll = server.clock.now()
        self.lock = server.lock()
        self._inbox: deque[Any] | None = None
        self._at_work = False
        self._handed_over = 0
        self._shift = 0
        self._metered = 0.0  # loop.meter
        self._heartbeat = self.heartbeat(self)

    def opened(self, query: dict[str, str]) -> None:
        """Its handshake had this query, and the server's `connect` handler has taken it."""

    def sid_in(self, namespace: str) -> str:  # noqa: ARG002
        """What its client is to be called in a namespace of Socket.IO's that it enters."""
        sid: str = self.server.generate_id()
        return sid

    @property
    def upgraded(self) -> bool:
        """Whether it's over WebSocket (as python-engineio names it)."""
        return self.channel is not None

    @property
    def upgrading(self) -> bool:
        """Whether a probe has been answered, so that polls are answered at once."""
        probe = self.probe
        return probe is not None and probe.answered

    @property
    def is_overdue(self) -> bool:
        """Whether over polling it hasn't polled for the ping interval and timeout together.

        The heartbeat finds that out by its timer, up to a tenth of a second later.
        """
        if self.channel or self.news:
            return False
        patience: float = self.server.ping_interval + self.server.ping_timeout
        return self.server.clock.now() - self.last_poll >= patience

    @property
    def hearer(self) -> Hearer | None:
        """What its frames leave by at the end of a turn, where it has such a thing."""
        outbox = self.channel.outbox if self.channel else None
        return outbox if isinstance(outbox, Hearer) else None

    # What goes out

    def send(self, packet: Packet) -> None:
        """Send a packet, or keep it for the next poll. Over the bound, the connection is cut."""
        if self.closed:
            return
        if self.channel is None:
            with self.lock:
                if self.channel is None:
                    self._keep(packet)
                    return
        self.channel.write(encoded_frame(packet))

    def _keep(self, packet: Packet) -> None:
        self.outgoing.append(packet)
        self.outgoing_bytes += len(packet.encode(b64=True))
        if self.outgoing_bytes > self.server.outbox_bytes:
            self.server.spawn(self.close, False, True, self.server.reason.TRANSPORT_ERROR)
        if self.news:
            self.news.set()

    def take(self) -> list[Packet]:
        """What the next poll's answer carries."""
        with self.lock:
            packets = self.outgoing[:PACKETS_PER_POLL]
            del self.outgoing[:PACKETS_PER_POLL]
            self.outgoing_bytes -= sum(len(packet.encode(b64=True)) for packet in packets)
        return packets

    def payload(self, packets: list[Packet]) -> tuple[str, bytes]:
        """The content type and body that carry them ("HTTP long-polling")."""
        return "text/plain; charset=UTF-8", Payload(packets).encode().encode()

    def begin_upgrade(self, probe: Probe) -> bool:
        """Take `probe` as what may become its channel. False: there is one of either, or it has
        ended."""
        with self.lock:
            if self.closed or self.channel or self.probe:
                return False
            self.probe = probe
        return True

    def attach(self, channel: Channel) -> bool:
        """Go on over `channel`; what waits goes first. False: it has ended, or has one."""
        with self.lock:
            if self.closed or self.channel:
                return False
            for packet in self.outgoing:
                channel.write(encoded_frame(packet))
            self.outgoing.clear()
            self.outgoing_bytes = 0
            self.probe = None
            self.channel = channel
            channel.receiver = self
        return True

    def leave(self, probe: Probe) -> bool:
        """Stay with polling. False: `probe` isn't what might have become its channel."""
        with self.lock:
            if self.probe is not probe:
                return False
            self.probe = None
        return True

    # What comes in

    def packets(self, body: bytes, binary: bool) -> list[str] | list[str | bytes]:
        """The packets that a POST's body carries; `binary`: it says that it isn't text.

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
        """A packet has come, over either transport. Messages wait for their turn."""
        try:
            kind, data = decode_engineio(message)
        except MalformedPacket:
            self._let_wait(END)
            return
        if kind == engineio_packet.MESSAGE:
            self._let_wait(data)
        elif kind == engineio_packet.PONG:
            self._heartbeat.answered()
        elif kind == engineio_packet.CLOSE:
            self.reason = self.reason or self.server.reason.TRANSPORT_CLOSE
            self._let_wait(END)
        elif kind == engineio_packet.PING:  # only the server pings ("Heartbeat")
            self._let_wait(END)

    def charge(self, units: int) -> bool:
        """Count what has come over either transport (meter.units_of); false if it's too much, so
        that the session is to be closed."""
        rate = self.server.packet_limit
        if rate is None:
            return True
        now = self.server.clock.now()
        self._metered = rate.spend(self._metered, units, now)
        if not rate.is_over(self._metered, now):
            return True
        self.server.refused["packet_limit"] += 1
        return False

    def ended(self) -> None:
        """Its channel has ended."""
        self.reason = self.reason or self.server.reason.TRANSPORT_CLOSE
        self._let_wait(END)

    def pause(self) -> None:
        """Read no more of it."""
        if self.channel:
            self.channel.pause()

    def hand_over(self) -> None:
        """Have what comes next handled beside what is being handled, which from now on only waits.

        Under gevent and over WebSocket; else nothing comes before that has an end.
        """
        if self.channel and self.server.workers:
            self._handed_over += 1
            self._shift += 1
            self._at_work = bool(self._inbox)
            if self._inbox:
                self.server.workers.run(self._work)

    @property
    def busy(self) -> bool:
        """Whether something of it is being handled."""
        return self._at_work or self._handed_over > 0

    def _let_wait(self, message: Any) -> None:
        with self.lock:
            if self._inbox is None:
                self._inbox = deque()
            self._inbox.append(message)
            start, self._at_work = not self._at_work, True
        if self.channel and self._is_full():
            self.channel.pause()
        if start and self.channel and self.server.workers:
            self.server.workers.run(self._work)
        elif start:
            self._work()

    def _is_full(self) -> bool:
        return len(self._inbox or ()) + self._handed_over >= WAITING_EVENTS

    def _work(self) -> None:
        """Handle what has come, one at a time, until there's no more or it is handed over."""
        shift = self._shift
        while True:
            with self.lock:
                if not self._inbox or self.closed:
                    self._inbox = None
                    self._at_work = False
                    return
                was_full = self._is_full()
                message = self._inbox.popleft()
            self._handle(message)
            if self._shift != shift:
                was_full = self._is_full()
                self._handed_over -= 1
            if was_full and self.channel and not self._is_full():
                self.channel.resume()
            if self._shift != shift:
                return
            if self._inbox:
                self.server.scheduler.wait_turn()

    def _handle(self, message: Any) -> None:
        if message is END:
            self.close(False, True, self.reason or self.server.reason.TRANSPORT_ERROR)
            return
        try:
            self.server.handle_message(self.sid, message)
        except MalformedPacket:
            self.close(False, True, self.server.reason.TRANSPORT_ERROR)
        except Exception:
            logger.exception("a message's handler failed")

    # Whether it lives

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        """End the session, once; its `disconnect` handler has run when this returns.

        `abort`: what waits to be sent is dropped. `wait` is python-engineio's, and of no use here.
        """
        with self.lock:
            if self.closed:
                return
            self.closed = True
        self.reason = reason or self.server.reason.SERVER_DISCONNECT
        self._heartbeat.stop()
        if self.idle:
            self.idle.cancel()
        told = not abort and not self.channel
        if told:
            self.outgoing.append(Packet(engineio_packet.CLOSE))
        # A client that timed out gets the close packet only by a poll that waits for it now.
        last_words = told and self.reason != self.server.reason.PING_TIMEOUT
        # First of all, so that who sees the end of it finds its name free.
        self.server.forget(self, last_words)
        if self.channel:
            self.channel.close(NORMAL)
        if self.probe:
            self.probe.give_up()
        if self.news:
            self.news.set()

    def dismiss(self) -> None:
        """It is refused and never was: nothing is due for it, and nobody is told."""
        self.closed = True
        self._heartbeat.stop()


def encoded_frame(packet: Packet) -> bytes:
    """The packet as a finished WebSocket frame, made once for however many hear it."""
    finished: bytes | None = getattr(packet, "frame", None)
    if finished is None:
        finished = packet.frame = frame(packet.data if packet.binary else packet.encode())
    return finished
