"""A person at the other end of a real connection, by python-socketio's own client."""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import Any

import socketio


class Person:
    """A client of the server at `url`, over "websocket", "polling" or both: the upgrade."""

    def __init__(self, url: str, *transports: str, **options: Any) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self._news = threading.Condition()
        self.client = socketio.Client(reconnection=False, **options)
        self.client.on("*", self._hear)
        # In the order they came: by itself each event is handled in a thread of its own.
        trigger = self.client.eio._trigger_event
        self.client.eio._trigger_event = lambda *event, **how: trigger(
            *event, **how | {"run_async": False}
        )
        self.client.connect(url, transports=list(transports) or None, wait_timeout=10)

    def _hear(self, event: str, *arguments: Any) -> None:
        with self._news:
            self.heard.append((event, *arguments))
            self._news.notify_all()

    def says(self, event: str, *arguments: Any) -> Any:
        """Send an event and return its acknowledgement."""
        return self.client.call(event, arguments, timeout=10)

    def sets(self, name: str) -> Any:
        return self.says("setUsername", name)

    def emits(self, event: str, *arguments: Any) -> None:
        """Send an event without asking for an acknowledgement."""
        self.client.emit(event, arguments)

    def hears(self, event: str, *, within: float = 10, count: int = 1) -> list[tuple[Any, ...]]:
        """The arguments of the first `count` such events, once they have come."""
        deadline = time.monotonic() + within
        with self._news:
            while len(found := [e[1:] for e in self.heard if e[0] == event]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"no {event}, only {self.heard}"
                self._news.wait(left)
            return found[:count]

    def forgets(self) -> None:
        with self._news:
            self.heard.clear()

    def messages(self, count: int) -> list[str]:
        return [said["message"] for said, _ in self.hears("newmsg", count=count)]

    def leaves(self) -> None:
        """Say goodbye, over polling by its close packet: the client's own may be left unsent."""
        if self.client.transport() == "polling":
            session = f"/socket.io/?EIO=4&transport=polling&sid={self.client.eio.sid}"
            urllib.request.urlopen(self.client.connection_url + session, b"1", timeout=5).close()
            self.client.eio.disconnect(abort=True)
        else:
            self.client.disconnect()
