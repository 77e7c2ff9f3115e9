"""An upgrade that has begun (Engine.IO protocol 4, "Upgrade")."""

from __future__ import annotations

from chatapp.transport.eio.session import Session
from chatapp.transport.loop.clock import Timer
from chatapp.transport.websocket.protocol import INVALID_DATA, NORMAL, frame
from chatapp.transport.websocket.transport import WebSocketTransport


class Probe:
    """A WebSocket to which a polling session moves if its client asks for that in time."""

    def __init__(self, session: Session, websocket: WebSocketTransport) -> None:
        self._session = session
        self._websocket = websocket
        self.answered = False
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Become the session's upgrade, or close the WebSocket if the session takes none."""
        if not self._session.begin_upgrade(self):
            self._websocket.close()
            return
        runtime = self._session.runtime
        self._timer = runtime.clock.call_later(runtime.limits.request_timeout, self.give_up)

    def received(self, message: str | bytes) -> None:
        session = self._session
        if session.upgrade is not self:  # given up: the message came in the same read
            return
        if not self.answered and message == "2probe":
            self.answered = True
            self._websocket.write(frame("3probe"))
            session.wake_poll()
        elif self.answered and message == "5" and session.attach(self._websocket):
            self._stop_timer()
        else:
            self.give_up(INVALID_DATA)

    def charge(self, units: int) -> bool:
        return self._session.charge(units)

    def ended(self) -> None:
        self._stop_timer()
        self._session.end_upgrade(self)

    def give_up(self, code: int = NORMAL) -> None:
        """Leave the session to polling and close the WebSocket, unless the session has moved."""
        self._stop_timer()
        if self._session.end_upgrade(self):
            self._websocket.close(code)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
