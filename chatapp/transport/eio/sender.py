"""How packets leave a session: by the client's polls, or over a WebSocket."""

from __future__ import annotations

from typing import Any, Protocol

from engineio.packet import Packet

from chatapp.transport.loop.batching import BatchedOutbox
from chatapp.transport.loop.runtime import Runtime
from chatapp.transport.websocket.protocol import frame
from chatapp.transport.websocket.receiver import Receiver
from chatapp.transport.websocket.transport import WebSocketTransport

PACKETS_PER_POLL = 16
"""Packets in one answer. Python's clients drop an answer with more."""


class Upgrade(Protocol):
    """An upgrade that has begun."""

    answered: bool

    def give_up(self) -> None: ...


class PollQueue:
    """The packets that wait for a client's polls, and the state of its polls.

    The session's lock guards all but `event` and `last_poll`.
    """

    __slots__ = ("bytes", "event", "last_poll", "packets", "posting")

    def __init__(self, now: float) -> None:
        self.packets: list[Packet] = []
        self.bytes = 0
        self.event: Any = None  # that a waiting poll waits for
        self.posting = False
        self.last_poll = now

    def put(self, packet: Packet) -> None:
        """Keep a packet for the next poll."""
        self.packets.append(packet)
        self.bytes += len(packet.encode(b64=True))
        self.wake()

    def take(self) -> list[Packet]:
        """Return the packets for the next poll's answer."""
        taken = self.packets[:PACKETS_PER_POLL]
        del self.packets[:PACKETS_PER_POLL]
        self.bytes -= sum(len(packet.encode(b64=True)) for packet in taken)
        return taken

    def wake(self) -> None:
        """Have a waiting poll look again."""
        if self.event:
            self.event.set()


class Sender:
    """The sending half of a session.

    It has `polls` at first, and a `websocket` instead from the moment that one is attached.
    """

    __slots__ = ("closed", "lock", "polls", "runtime", "upgrade", "websocket")

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.lock = runtime.lock()
        self.closed = False
        self.websocket: WebSocketTransport | None = None
        self.upgrade: Upgrade | None = None
        self.polls: PollQueue | None = PollQueue(runtime.clock.now())

    @property
    def over_websocket(self) -> bool:
        return self.websocket is not None

    @property
    def upgrading(self) -> bool:
        """Whether a probe has been answered, so that polls are answered at once."""
        upgrade = self.upgrade
        return upgrade is not None and upgrade.answered

    @property
    def awaits_poll(self) -> bool:
        """Whether it is over polling and no poll waits for its packets."""
        polls = self.polls
        return polls is not None and not polls.event

    @property
    def last_poll(self) -> float:
        """When its last poll was answered; over a WebSocket that is always now."""
        polls = self.polls
        return polls.last_poll if polls else self.runtime.clock.now()

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

    def send(self, packet: Packet) -> None:
        """Send a packet, or keep it for the next poll. Over the bound, the session is cut."""
        if self.closed:
            return
        if self.websocket is None:
            with self.lock:
                if self.polls:
                    self.polls.put(packet)
                    if self.polls.bytes > self.runtime.limits.outbox_bytes:
                        self.cut()
                    return
        assert self.websocket
        self.websocket.write(encoded_frame(packet))

    def cut(self) -> None:
        """End the session: too much waits for a client that doesn't read."""
        raise NotImplementedError

    def take(self) -> list[Packet]:
        """Return the packets for the next poll's answer."""
        with self.lock:
            return self.polls.take() if self.polls else []

    def wake_poll(self) -> None:
        """Have a waiting poll look again."""
        if polls := self.polls:
            polls.wake()

    def begin_upgrade(self, upgrade: Upgrade) -> bool:
        """Take `upgrade` as the one upgrade in progress.

        Return false if the session takes none: it has ended, has moved, or has another.
        """
        with self.lock:
            if self.closed or self.websocket or self.upgrade:
                return False
            self.upgrade = upgrade
        return True

    def end_upgrade(self, upgrade: Upgrade) -> bool:
        """Stay with polling. Return false if `upgrade` isn't the upgrade in progress."""
        with self.lock:
            if self.upgrade is not upgrade:
                return False
            self.upgrade = None
        return True

    def move_to(self, websocket: WebSocketTransport, receiver: Receiver) -> bool:
        """Move to `websocket`, and send what waits. Return false if it has ended or has moved."""
        with self.lock:
            if self.closed or not self.polls:
                return False
            for packet in self.polls.packets:
                websocket.write(encoded_frame(packet))
            self.upgrade = None
            self.websocket = websocket
            self.polls = None
            websocket.receiver = receiver
        return True

    def pause_reading(self) -> None:
        """Stop reading its WebSocket."""
        if self.websocket:
            self.websocket.pause_reading()


def encoded_frame(packet: Packet) -> bytes:
    """Return the packet as a WebSocket frame, which is made once for all recipients."""
    finished: bytes | None = getattr(packet, "frame", None)
    if finished is None:
        finished = packet.frame = frame(packet.data if packet.binary else packet.encode())
    return finished
