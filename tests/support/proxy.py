"""A TCP proxy between a node and Redis.

Use it to cut a node's connections to Redis, or to drop what Redis publishes to the node.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Proxy:
    """Forward connections from `port` to `target_port`, both on 127.0.0.1."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._links: list[_Link] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Close all connections and return how many there were."""
        links, self._links = self._links, []
        for link in links:
            link.close()
        return len(links)

    def silence_subscribers(self) -> int:
        """Drop all further data to subscribers, without an error; return how many there are."""
        subscribers = [link for link in self._links if link.has_subscribed]
        for link in subscribers:
            link.is_silent = True
        return len(subscribers)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._links.append(_Link(client, server))


class _Link:
    """A client's connection and the connection to the server behind the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self.has_subscribed = self.is_silent = False
        for forward in (self._forward_requests, self._forward_replies):
            threading.Thread(target=forward, daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _forward_requests(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(65536):
                self.has_subscribed = self.has_subscribed or b"SUBSCRIBE" in data
                self._server.sendall(data)
        self.close()

    def _forward_replies(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65536):
                if not self.is_silent:
                    self._client.sendall(data)
        self.close()
