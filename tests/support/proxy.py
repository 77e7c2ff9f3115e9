"""A TCP proxy that tests put before a Redis, to cut connections or silence them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Proxy:
    """Passes on what comes to `port` to another one on this machine."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._links: list[_Link] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Close all connections; how many there were."""
        links, self._links = self._links, []
        for link in links:
            link.close()
        return len(links)

    def hush(self) -> int:
        """What subscribers would hear is lost from now on, and nobody is told; how many."""
        listeners = [link for link in self._links if link.has_subscribed]
        for link in listeners:
            link.is_silent = True
        return len(listeners)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._links.append(_Link(client, server))


class _Link:
    """A connection, and what it's passed on to."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self.has_subscribed = self.is_silent = False
        for pump in (self._ask, self._answer):
            threading.Thread(target=pump, daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _ask(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(65536):
                self.has_subscribed = self.has_subscribed or b"SUBSCRIBE" in data
                self._server.sendall(data)
        self.close()

    def _answer(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65536):
                if not self.is_silent:
                    self._client.sendall(data)
        self.close()
