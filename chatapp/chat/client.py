"""A connection as the chat's rules know it, and what it may do."""

from __future__ import annotations

from enum import Enum
from threading import Event, Lock
from typing import Protocol

from chatapp.limits import Rate, bucket


class Limits(Protocol):
    """What the settings allow each connection (config.Settings). A rate of None: no limit."""

    @property
    def max_message_chars(self) -> int: ...
    @property
    def message_limit(self) -> Rate | None: ...
    @property
    def name_limit(self) -> Rate | None: ...
    @property
    def event_limit(self) -> Rate | None: ...


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

    def __init__(self, id: str, limits: Limits) -> None:  # noqa: A002
        self.id = id
        self.user: str | None = None
        self.gone: Gone | None = None
        self.waiting = 0  # messages that wait for the log
        self.settled: Event | None = None  # what waits until there are none
        self.lock = Lock()
        self.events = bucket(limits.event_limit)
        self.flood = bucket(limits.event_limit, times=2)
        self.names = bucket(limits.name_limit)
        self.messages = bucket(limits.message_limit)

    def go_on(self, earlier: Client) -> None:
        """Be the connection that `earlier` was, which left and is back: the same limits go on."""
        self.events, self.flood = earlier.events, earlier.flood
        self.names, self.messages = earlier.names, earlier.messages
