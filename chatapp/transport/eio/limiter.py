"""How many sessions and connections there may be, in all and from each address."""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache

from chatapp.transport.eio.http_errors import EngineHTTPError

RETRY = ("Retry-After", "5")
BESIDE_SESSIONS = 32
"""Connections of an address besides two for each session: pages load files over some."""


class ConnectionLimiter:
    """Counts sessions, and the connections that requests come over, and refuses what is over the
    bounds; a bound of 0 is none.

    A session has a connection of its own for a poll and one for a POST, and its page loads files
    over some more: so there may be more connections than sessions. A WebSocket's connection counts
    as its session alone. Loopback addresses have no bound of their own unless `limit_loopback`. All
    bounds are security limits. `refused` counts what is over them.
    """

    def __init__(
        self,
        most: int,
        most_per_address: int,
        refused: Counter[str],
        limit_loopback: bool = False,
    ) -> None:
        self._refused = refused
        self._most = most
        self._most_per_address = most_per_address
        self._limit_loopback = limit_loopback
        self.inside = 0
        self._addresses: Counter[str] = Counter()
        self._connections: Counter[str] = Counter()
        self.stopping = False

    def enter(self, address: str) -> None:
        """Count a session from `address`.

        Raises:
            EngineHTTPError: with 429, there are too many; with 503, the server is stopping.
        """
        if self.stopping:
            raise EngineHTTPError((3, "The server is stopping"), "503 Service Unavailable", RETRY)
        over = self._most and self.inside >= self._most
        if self._is_bounded(address):
            over = over or self._addresses[address] >= self._most_per_address
        if over:
            self._refused["sessions"] += 1
            raise EngineHTTPError((3, "Too many connections"), "429 Too Many Requests", RETRY)
        self.inside += 1
        self._addresses[address] += 1

    def leave(self, address: str) -> None:
        """Count a session from `address` no longer."""
        self.inside -= 1
        uncount(self._addresses, address)

    def connect(self, address: str) -> bool:
        """Count a connection from `address`; false if there are too many."""
        bound = 2 * self._most_per_address + BESIDE_SESSIONS
        if self._is_bounded(address) and self._connections[address] >= bound:
            self._refused["connections"] += 1
            return False
        self._connections[address] += 1
        return True

    def disconnect(self, address: str) -> None:
        """Count a connection from `address` no longer."""
        uncount(self._connections, address)

    def _is_bounded(self, address: str) -> bool:
        return self._most_per_address > 0 and (self._limit_loopback or not is_loopback(address))


def uncount(counter: Counter[str], address: str) -> None:
    counter[address] -= 1
    if not counter[address]:
        del counter[address]


LONGEST_REMEMBERED = 64
"""Characters: an IPv6 address has 45 at most, and then its interface. What a proxy's header says
may be as long as the header, and isn't remembered."""


def is_loopback(address: str) -> bool:
    """Whether a bound for each address makes no sense for it: loopback, or a Unix socket's."""
    parse = _remembered if len(address) <= LONGEST_REMEMBERED else _is_loopback
    return parse(address)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


_remembered = lru_cache(1024)(_is_loopback)
