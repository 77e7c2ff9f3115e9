"""Bounds on the number of sessions and connections, in all and from each address."""

from __future__ import annotations

from collections import Counter

from chatapp.transport.eio.http_errors import STOPPING, TOO_MANY, EngineHTTPError
from chatapp.transport.http.addresses import is_local, networks, normalize

RETRY = ("Retry-After", "5")
BESIDE_SESSIONS = 32
"""Connections of an address besides two for each session, over which pages load files."""


class ConnectionLimiter:
    """Counts sessions and connections, and refuses those that are over the bounds.

    `max_sessions` and `max_sessions_per_address` bound sessions; 0 is no bound. A session over
    polling has two connections, one for a poll and one for a POST, and its page loads files over
    more. So an address may have more connections than sessions (see `connect`). A connection that
    is a WebSocket counts only as its session.

    An IPv6 address counts with all others of its network of 64 bits, and addresses that can't be
    read count together. Loopback addresses have no bound of their own unless `limit_loopback` is
    true. `refused` counts what is refused. All bounds are security limits.
    """

    def __init__(
        self,
        max_sessions: int,
        max_sessions_per_address: int,
        refused: Counter[str],
        limit_loopback: bool = False,
    ) -> None:
        self._refused = refused
        self._max_sessions = max_sessions
        self._max_per_address = max_sessions_per_address
        self._limit_loopback = limit_loopback
        self.sessions = 0
        self._networks: Counter[str] = Counter()
        self._connections: Counter[str] = Counter()
        self.stopping = False

    def enter(self, address: str) -> None:
        """Count a session from `address`.

        Raises:
            EngineHTTPError: 429 if there are too many, 503 if the server is stopping.
        """
        if self.stopping:
            raise EngineHTTPError(STOPPING, "503 Service Unavailable", RETRY)
        over = self._max_sessions and self.sessions >= self._max_sessions
        network = counted_network(address)
        if self._is_bounded(address):
            over = over or self._networks[network] >= self._max_per_address
        if over:
            self._refused["sessions"] += 1
            raise EngineHTTPError(TOO_MANY, "429 Too Many Requests", RETRY)
        self.sessions += 1
        self._networks[network] += 1

    def leave(self, address: str) -> None:
        """Stop counting a session from `address`."""
        self.sessions -= 1
        uncount(self._networks, counted_network(address))

    def connect(self, address: str) -> bool:
        """Count a connection from `address`. Return false if there are too many."""
        network = counted_network(address)
        bound = 2 * self._max_per_address + BESIDE_SESSIONS
        if self._is_bounded(address) and self._connections[network] >= bound:
            self._refused["connections"] += 1
            return False
        self._connections[network] += 1
        return True

    def disconnect(self, address: str) -> None:
        """Stop counting a connection from `address`."""
        uncount(self._connections, counted_network(address))

    def _is_bounded(self, address: str) -> bool:
        has_bound = self._max_per_address > 0
        return has_bound and (self._limit_loopback or not is_local(normalize(address)))


def counted_network(address: str) -> str:
    """Return what an address is counted under: itself, or its IPv6 network of 64 bits."""
    return networks(normalize(address))[0]


def uncount(counter: Counter[str], network: str) -> None:
    counter[network] -= 1
    if not counter[network]:
        del counter[network]
