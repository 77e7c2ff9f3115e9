"""Audience: what the chat asks of the transport that connects it to its clients."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from chatapp.errors import ChatError


class Audience(Protocol):
    """The clients that are connected to this node, and the rooms that they are in."""

    def send(self, client: str, event: str, *arguments: Any) -> None:
        """Send `event` to `client`."""

    def broadcast(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        """Send `event` to this node's clients in `room`, except to the client `skip`.

        It doesn't reach the clients of other nodes: Broadcaster.publish does.
        """

    def enter(self, client: str, room: str) -> None:
        """Add `client` to `room`."""

    def leave(self, client: str, room: str) -> None:
        """Remove `client` from `room`."""

    def is_in(self, client: str, room: str) -> bool:
        """Return whether `client` is in `room`."""

    def rooms(self, client: str) -> Collection[str]:
        """Return the rooms that `client` is in."""

    def has_members(self, room: str) -> bool:
        """Return whether a client of this node is in `room`."""

    def call_later(self, seconds: float, call: Any) -> None:
        """Call `call()` after `seconds`."""

    def release(self, client: str) -> None:
        """Let the client's next event begin while the present one waits."""

    def close(self, client: str) -> None:
        """Close the client's connection; the client may reconnect."""

    def close_all(self) -> None:
        """Close all connections; clients reconnect by themselves."""

    def kick(self, client: str, event: str, refusal: ChatError) -> None:
        """Send `refusal` to `client`, and close its connection so that it does not reconnect."""
