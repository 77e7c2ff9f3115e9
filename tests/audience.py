"""An audience without sockets: what everybody heard, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Audience:
    """Remembers what each client heard; `clients` are all in the lobby (chat.Audience)."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[Any, ...]]] = {}
        self.closed: list[str] = []
        self.now = 0.0
        self._due: list[tuple[float, Callable[[], Any]]] = []

    def send(self, client: str, event: str, *arguments: Any) -> None:
        self.heard[client].append((event, *arguments))

    def tell(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        for client, heard in self.heard.items():
            if client != skip:
                heard.append((event, *arguments))

    def is_in(self, client: str, room: str) -> bool:
        return room == "lobby" and client in self.heard

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        self._due.append((self.now + seconds, call))

    def close(self, client: str) -> None:
        self.closed.append(client)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass; what is due happens."""
        self.now += seconds
        due = [call for at, call in self._due if at <= self.now]
        self._due = [(at, call) for at, call in self._due if at > self.now]
        for call in due:
            call()
