"""A client as the rules of the chat know it, and its limits."""

from __future__ import annotations

from enum import Enum
from threading import Event, Lock
from typing import Protocol

from chatapp.limits import Bucket, Rate, bucket


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


class DisconnectReason(Enum):
    """How a client has disconnected. `CLEAN`: by a DISCONNECT packet; it won't be back."""

    CLEAN = "clean"
    CONNECTION_LOST = "connection lost"


class Client:
    """A connected client: its id, the name that it has, and its token buckets."""

    __slots__ = (
        "buckets",
        "disconnected",
        "event_bucket",
        "flood_bucket",
        "id",
        "lock",
        "pending_done",
        "pending_messages",
        "user",
    )

    def __init__(self, id: str, limits: Limits) -> None:  # noqa: A002
        self.id = id
        self.user: str | None = None
        self.disconnected: DisconnectReason | None = None
        self.pending_messages = 0  # that wait for the log
        self.pending_done: Event | None = None  # set when there are none
        self.lock = Lock()
        self.event_bucket = bucket(limits.event_limit)
        self.flood_bucket = bucket(limits.event_limit, times=2)
        self.buckets: dict[str, Bucket] = {}  # for events that have rates of their own

    def resume(self, earlier: Client) -> None:
        """Take over the buckets of `earlier`, which the same session was before it reconnected."""
        self.event_bucket, self.flood_bucket = earlier.event_bucket, earlier.flood_bucket
        self.buckets = earlier.buckets

    def bucket(self, event: str, rate: Rate) -> Bucket:
        """Return the bucket of an event that has its own rate. Its first use creates it."""
        found = self.buckets.get(event)
        if found is None:
            found = self.buckets[event] = bucket(rate)
        return found
