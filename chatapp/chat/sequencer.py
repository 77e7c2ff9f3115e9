"""One thing at a time for each connection, at the rate that it may; but messages wait together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from chatapp.chat.audience import Audience
from chatapp.chat.client import Client, Gone
from chatapp.errors import RateLimited, Unavailable

T = TypeVar("T")


class Turns:
    """The turns of all connections. `clean_up(client, how)` is called once for each that has ended,
    when nothing is done for it any more. Thread-safe."""

    def __init__(self, audience: Audience, clean_up: Callable[[Client, Gone], None]) -> None:
        self._audience = audience
        self._clean_up = clean_up

    def take(self, client: Client, do: Callable[[], T], beside: bool = False) -> T:
        """Do something for `client` once all before is done, charged to its rate of all events; but
        messages that only wait for the log wait together, if they are `beside` each other.

        Raises:
            RateLimited: it is over that rate. One that goes on at twice the rate is closed.
        """
        try:
            with client.lock:
                if not beside:
                    self.settle(client)
                self._charge(client)
                return do()
        finally:
            if client.gone:
                self.end(client, client.gone)

    def settle(self, client: Client) -> None:
        """Within its turn, wait until the client's messages before have their answers.

        Raises:
            Unavailable: it has gone meanwhile.
        """
        while client.waiting:
            client.settled = settled = Event()
            client.lock.release()
            try:
                settled.wait()
            finally:
                client.lock.acquire()
            if client.gone:
                raise Unavailable  # which nobody hears any more

    @contextmanager
    def waiting(self, client: Client) -> Iterator[None]:
        """Within its turn, let the client's next message begin its own."""
        client.waiting += 1
        client.lock.release()
        self._audience.hand_over(client.id)
        try:
            yield
        finally:
            client.lock.acquire()
            client.waiting -= 1
            if client.settled and not client.waiting:
                client.settled.set()
                client.settled = None

    def end(self, client: Client, how: Gone) -> None:
        """The connection has ended: it is cleaned up at once, or when what it does now is done."""
        client.gone = how
        if not client.waiting and client.lock.acquire(blocking=False):
            try:
                self._clean_up(client, how)
            finally:
                client.lock.release()

    def _charge(self, client: Client) -> None:
        try:
            client.flood.take()
        except RateLimited:
            self._audience.close(client.id)
            raise
        client.events.take()
