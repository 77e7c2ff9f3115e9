"""This node's lease on its names, and the expiry of names and of other nodes."""

from __future__ import annotations

import logging
import random
import secrets
import threading
from contextlib import suppress
from time import monotonic

from chatapp.errors import Damaged, Unavailable
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.tasks import TaskRunner
from chatapp.store.threads import make_event

logger = logging.getLogger(__name__)
NODE_BYTES = 9
"""72 random bits, as text of 12 characters."""


class LeaseLost(Unavailable):
    """This node has no lease now, so that it can't claim names."""


class NodeLease:
    """Keep this node's lease of `duration` seconds, and expire what is due.

    The lease is renewed after a third of its time. A node whose lease has ended counts as dead, and
    its names expire: at once, or a hold after the end of the lease.

    When Redis was down, no node could renew its lease. So this node waits for `duration` after that
    until it expires other nodes.
    """

    def __init__(
        self, log: RedisLog, tasks: TaskRunner, duration: float, check_interval: float
    ) -> None:
        self._log = log
        self._tasks = tasks
        self._duration = duration
        self._check_interval = min(check_interval, duration / 3)
        self._renewed_at = 0.0
        self._connected_since = float("-inf")  # inf: Redis is down
        self._closed = make_event()
        log.on_reset(self._restart)
        log.feed.on_reconnect(self.renew)

    def open(self) -> None:
        self._start()
        threading.Thread(target=self._expiry_loop, daemon=True).start()

    def close(self) -> None:
        """End the lease, so that names expire now."""
        self._closed.set()
        with suppress(Unavailable):
            while self._tasks.node and self._tasks.run("stop_node"):
                pass

    def may_expire_nodes(self) -> bool:
        """Return whether a node without a lease is dead, and had time to renew it."""
        return monotonic() - self._connected_since >= self._duration

    def renew_soon(self) -> None:
        """Renew the lease at the next check."""
        self._renewed_at = float("-inf")

    def renew(self) -> None:
        """Renew the lease. If it has ended, reset this node's clients (Log.reset).

        Raises:
            RedisError: Redis can't be used.
        """
        if not self._tasks.node:
            return
        started_at = monotonic()
        is_renewed = self._tasks.run_at_once("renew_lease", lease=self._milliseconds())
        self._renewed_at = started_at
        if not is_renewed:
            logger.error(
                "this node lost its lease of %g s and the names of its clients, which reconnect; "
                "if the machine is slow, raise CHATAPP_NODE_LEASE",
                self._duration,
            )
            self._log.reset()

    def check(self) -> None:
        """Renew the lease if it's time to, and expire what is due.

        Raises:
            Unavailable: Redis can't be used.
        """
        if monotonic() >= self._renewed_at + self._duration / 3:
            self._log.query(self.renew)
        if self._connected_since == float("inf"):
            self._connected_since = monotonic()
        names = ("expire_node", "expire_due") if self.may_expire_nodes() else ("expire_due",)
        for name in names:
            while self._tasks.run(name) and not self._closed.is_set():
                pass

    def _start(self) -> None:
        self._tasks.node = secrets.token_urlsafe(NODE_BYTES)
        self._log.feed.subscriber.subscribe(f"@{self._tasks.node}")
        self._tasks.run("start_lease", lease=self._milliseconds())
        self._renewed_at = monotonic()

    def _restart(self) -> None:
        """All names are lost. Go on under another node's name."""
        self._log.feed.subscriber.unsubscribe(f"@{self._tasks.node}")
        with suppress(Unavailable):  # the next check does it
            self._start()

    def _expiry_loop(self) -> None:
        while not self._closed.wait(self._check_interval * random.uniform(0.75, 1)):  # noqa: S311 (not a secret)
            try:
                self.check()
            except Damaged:
                pass  # Redis itself is up
            except Unavailable:
                self._connected_since = float("inf")
            except Exception:
                logger.exception("expired names couldn't be removed; the next check tries again")

    def _milliseconds(self) -> int:
        return round(self._duration * 1000)
