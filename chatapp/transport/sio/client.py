"""What the Socket.IO server keeps of one session."""

from __future__ import annotations

from chatapp.transport.loop.clock import Timer


class ClientState:
    """The CONNECT packets of a session, and its timer while it is in no namespace.

    `ids` are the ids that a client of protocol 4 has had.
    """

    __slots__ = ("connects", "idle_timer", "ids")

    def __init__(self) -> None:
        self.connects = 0
        self.idle_timer: Timer | None = None
        self.ids: set[str] | None = None

    def stop_timer(self) -> None:
        if self.idle_timer:
            self.idle_timer.cancel()
            self.idle_timer = None

    def close(self) -> None:
        """Stop the timer: the session has ended (session.Attachment)."""
        self.stop_timer()
