"""A connection as the chat's rules know it, and what it may do."""

from __future__ import annotations

from enum import Enum
from threading import Event, Lock
from typing import NamedTuple

from chatapp.limits import Rate, bucket


class Bounds(NamedTuple):
    """What one connection may do. `max_message_chars`: code points; a rate of None: no limit;
    `max_rooms`: at once, the lobby included."""

    max_message_chars: int = 4000
    message_limit: Rate | None = None
    name_limit: Rate | None = None
    event_limit: Rate | None = None
    max_rooms: int = 50


class Gone(Enum):
    """How a connection has ended. `GOODBYE`: by Socket.IO's DISCONNECT, so that it's not back."""

    GOODBYE = "goodbye"
    BROKEN = "broken"


class Client:
    """One connection: its id, the name that it has, and what its limits leave it."""

    __slots__ = (
        *("events", "flood", "gone", "id", "lock", "messages", "names", "settled", "user"),
        "waiting",
    )

    def __init__(self, id: str, bounds: Bounds) -> None:  # noqa: A002
        self.id = id
        self.user: str | None = None
        self.gone: Gone | None = None
        self.waiting = 0  # messages that wait for the log
        self.settled: Event | None = None  # what waits until there are none
        self.lock = Lock()
        self.events = bucket(bounds.event_limit)
        self.flood = bucket(bounds.event_limit, times=2)
        self.names = bucket(bounds.name_limit)
        self.messages = bucket(bounds.message_limit)

    def go_on(self, earlier: Client) -> None:
        """Be the connection that `earlier` was, which left and is back: the same limits go on."""
        self.events, self.flood = earlier.events, earlier.flood
        self.names, self.messages = earlier.names, earlier.messages
