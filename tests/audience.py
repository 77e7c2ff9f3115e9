"""An audience without sockets: what everybody heard, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatapp.errors import ChatError


class Audience:
    """Remembers what each client heard (chatapp.audience.Audience)."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[Any, ...]]] = {}
        self.closed: list[str] = []
        self.now = 0.0
        self._rooms: dict[str, list[str]] = {}
        self._due: list[tuple[float, Callable[[], Any]]] = []

    def send(self, client: str, event: str, *arguments: Any) -> None:
        if client in self.heard:
            self.heard[client].append((event, *arguments))

    def tell(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        for client, heard in self.heard.items():
            if client != skip and self.is_in(client, room):
                heard.append((event, *arguments))

    def enter(self, client: str, room: str) -> None:
        self._rooms.setdefault(client, []).append(room)

    def leave(self, client: str, room: str) -> None:
        self._rooms[client].remove(room)

    def is_in(self, client: str, room: str) -> bool:
        return room in self.rooms(client)

    def rooms(self, client: str) -> list[str]:
        return self._rooms.get(client, [])

    def hears(self, room: str) -> bool:
        return any(room in rooms for rooms in self._rooms.values())

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        self._due.append((self.now + seconds, call))

    def hand_over(self, client: str) -> None:
        pass

    def close(self, client: str) -> None:
        self.closed.append(client)

    def close_all(self) -> None:
        self.closed.extend(self.heard)

    def dismiss(self, client: str, event: str, refusal: ChatError) -> None:
        self.send(client, "refused", event, refusal.code)
        self.closed.append(client)

    def forget(self, client: str) -> None:
        """The client's connection has ended."""
        self.heard.pop(client, None)
        self._rooms.pop(client, None)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass; what is due happens."""
        self.now += seconds
        due = [call for at, call in self._due if at <= self.now]
        self._due = [(at, call) for at, call in self._due if at > self.now]
        for call in due:
            call()
