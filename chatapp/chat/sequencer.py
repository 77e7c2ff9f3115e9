"""The order of each client's events: one at a time, but waiting messages overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from chatapp.chat.audience import Audience
from chatapp.chat.client import Client, DisconnectReason
from chatapp.errors import RateLimited, Unavailable

T = TypeVar("T")


class Sequencer:
    """Run the events of each client one after the other. Thread-safe.

    `clean_up(client, reason)` is called once for each client that has disconnected, when none of
    its events is running any more.
    """

    def __init__(
        self, audience: Audience, clean_up: Callable[[Client, DisconnectReason], None]
    ) -> None:
        self._audience = audience
        self._clean_up = clean_up

    def run(self, client: Client, do: Callable[[], T], overlaps: bool = False) -> T:
        """Call `do()` once the client's earlier events are done, and charge it to its event rate.

        With `overlaps`, it does not wait for earlier messages that only wait for the log.

        Raises:
            RateLimited: the client is over its rate. At twice its rate, it is closed.
        """
        try:
            with client.lock:
                if not overlaps:
                    self.wait_for_pending(client)
                self._charge(client)
                return do()
        finally:
            if client.disconnected:
                self.end(client, client.disconnected)

    def wait_for_pending(self, client: Client) -> None:
        """Within an event, wait until the client's earlier messages are acknowledged.

        Raises:
            Unavailable: the client has disconnected meanwhile.
        """
        while client.pending_messages:
            client.pending_done = done = Event()
            client.lock.release()
            try:
                done.wait()
            finally:
                client.lock.acquire()
            if client.disconnected:
                raise Unavailable  # nobody receives this any more

    @contextmanager
    def overlap(self, client: Client) -> Iterator[None]:
        """Within an event, let the client's next message begin while this one waits for the log."""
        client.pending_messages += 1
        client.lock.release()
        self._audience.release(client.id)
        try:
            yield
        finally:
            client.lock.acquire()
            client.pending_messages -= 1
            if client.pending_done and not client.pending_messages:
                client.pending_done.set()
                client.pending_done = None

    def end(self, client: Client, reason: DisconnectReason) -> None:
        """Clean up after a client that has disconnected, now or when its last event is done."""
        client.disconnected = reason
        if not client.pending_messages and client.lock.acquire(blocking=False):
            try:
                self._clean_up(client, reason)
            finally:
                client.lock.release()

    def _charge(self, client: Client) -> None:
        try:
            client.flood_bucket.take()
        except RateLimited:
            self._audience.close(client.id)
            raise
        client.event_bucket.take()
