"""An upgrade in the making (Engine.IO protocol 4, "Upgrade")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatapp.transport.eio.session import Connection
from chatapp.transport.websocket.channel import Channel
from chatapp.transport.websocket.protocol import INVALID_DATA, NORMAL, frame

if TYPE_CHECKING:
    from chatapp.transport.loop.clock import Timer


class Probe:
    """A WebSocket that a polling session may go on over, if it says so in time."""

    def __init__(self, connection: Connection, channel: Channel) -> None:
        self._connection = connection
        self._channel = channel
        self.answered = False
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Become the session's upgrade, or close the WebSocket: it has another one, is over
        WebSocket already, or has ended."""
        if not self._connection.begin_upgrade(self):
            self._channel.close()
            return
        server = self._connection.server
        self._timer = server.clock.call_later(server.request_timeout, self.give_up)

    def received(self, message: str | bytes) -> None:
        if self._connection.probe is not self:  # given up; what else came with it
            return
        if not self.answered and message == "2probe":
            self.answered = True
            self._channel.write(frame("3probe"))
            if self._connection.news:
                self._connection.news.set()
        elif self.answered and message == "5" and self._connection.attach(self._channel):
            self._stop_timer()
        else:
            self.give_up(INVALID_DATA)

    def charge(self, units: int) -> bool:
        return self._connection.charge(units)

    def ended(self) -> None:
        self._stop_timer()
        self._connection.leave(self)

    def give_up(self, code: int = NORMAL) -> None:
        """Leave the session to polling, unless it has moved on."""
        self._stop_timer()
        if self._connection.leave(self):
            self._channel.close(code)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
