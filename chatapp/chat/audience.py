"""Who hears: what the chat asks of whatever connects it to people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from chatapp.errors import ChatError


class Audience(Protocol):
    """Who hears. Rooms' membership is its own."""

    def send(self, client: str, event: str, *arguments: Any) -> None:
        """`client` hears `event`."""

    def tell(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        """Everyone in `room` hears `event`, but for the client `skip`."""

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
