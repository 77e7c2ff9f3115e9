"""Broadcaster: the contract for events that reach all nodes and are not logged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from chatapp.chat.audience import Audience


class Broadcaster(ABC):
    """Publish ephemeral events, such as `userTyping`.

    All methods may be called from any thread or greenlet.
    """

    @abstractmethod
    def publish(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        """Send `event` to all clients in `room`, on all nodes, except to the client `skip`.

        An event is delivered at most once. A client that is disconnected at that time, or whose
        node has lost its connection to Redis, never gets it.

        Raises:
            Unavailable: the other nodes can't be reached now.
        """


class LocalBroadcaster(Broadcaster):
    """The broadcaster of one process: the audience has all clients."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience

    def publish(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        self._audience.broadcast(room, event, *arguments, skip=skip)
