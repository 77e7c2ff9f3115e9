"""An upgrade in the making (Engine.IO protocol 4, "Upgrade")."""

from __future__ import annotations

from chatapp.transport.channel import Channel
from chatapp.transport.connection import Connection
from chatapp.transport.websocket import INVALID_DATA, NORMAL, frame


class Probe:
    """A WebSocket that a polling session may go on over (protocol 4, "Upgrade")."""

    def __init__(self, connection: Connection, channel: Channel) -> None:
        self._connection = connection
        self._channel = channel
        self._probed = False

    def received(self, message: str | bytes) -> None:
        connection = self._connection
        if self._channel.receiver is not self:
            connection.received(message)
        elif connection.closed:
            self._channel.close()
        elif not self._probed and message == "2probe":
            self._probed = connection.upgrading = True
            self._channel.write(frame("3probe"))
            if connection.news:
                connection.news.set()
        elif self._probed and message == "5":
            self._channel.receiver = connection
            connection.attach(self._channel)
        else:
            self.give_up(INVALID_DATA)

    def ended(self) -> None:
        if self._channel.receiver is self:
            self._connection.upgrading = False

    def give_up(self, code: int = NORMAL) -> None:
        """Leave the session to polling, unless it has moved on."""
        if self._channel.receiver is self:
            self._connection.upgrading = False
            self._channel.close(code)
