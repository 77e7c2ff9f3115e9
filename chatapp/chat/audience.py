"""Audience: what the chat asks of the transport that connects it to its clients."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from chatapp.errors import ChatError


class Audience(Protocol):
    """The clients that are connected to this node, and the rooms that they are in."""

    def send(self, client: str, event: str, *arguments: Any) -> None:
        """`client` hears `event`."""

    def tell(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        """Send `event` to this node's clients in `room`, except to the client `skip`.

        It doesn't reach the clients of other nodes: Broadcaster.publish does.
        """

    def enter(self, client: str, room: str) -> None:
        """`client` hears `room` from now on."""

    def leave(self, client: str, room: str) -> None:
        """`client` hears `room` no longer."""

    def is_in(self, client: str, room: str) -> bool:
        """Whether `client` hears `room`."""

    def rooms(self, client: str) -> Collection[str]:
        """The rooms that `client` hears."""

    def hears(self, room: str) -> bool:
        """Whether anybody hears `room`."""

    def later(self, seconds: float, call: Any) -> None:
        """Have `call()` called so many seconds later."""

    def hand_over(self, client: str) -> None:
        """`client`'s next event may begin while the one that is being handled only waits."""

    def close(self, client: str) -> None:
        """End the client's connection."""

    def close_all(self) -> None:
        """End all connections, so that clients come back by themselves."""

    def dismiss(self, client: str, event: str, refusal: ChatError) -> None:
        """`client` hears of `refusal`, and is not to come back; its connection ends."""
