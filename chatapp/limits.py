"""Token buckets, on the monotonic clock: a step of the wall clock blocks no client."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from chatapp.errors import RateLimited


class Rate(NamedTuple):
    """`tokens` events in `seconds`."""

    tokens: int
    seconds: float


class TokenBucket:
    """A bucket that holds `capacity` tokens and refills evenly, at `capacity` in `seconds`.

    Not thread-safe: each belongs to one connection, whose events are handled in order.
    """

    __slots__ = ("_clock", "_level", "_stamp", "capacity", "rate")

    def __init__(
        self, capacity: float, seconds: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self.capacity = capacity
        self.rate = capacity / seconds
        self._clock = clock
        self._level = capacity
        self._stamp = clock()

    def take(self) -> None:
        """Take one token.

        Raises:
            RateLimited: the bucket is empty. `retry_after` is when it will have a token.
        """
        now = self._clock()
        level = min(self.capacity, self._level + (now - self._stamp) * self.rate)
        self._stamp = now
        self._level = level if level < 1 else level - 1
        if level < 1:
            raise RateLimited(math.ceil((1 - level) / self.rate * 1000))


class Unlimited:
    """A bucket that is never empty."""

    def take(self) -> None:
        pass


Bucket = TokenBucket | Unlimited


def bucket(rate: Rate | None, times: int = 1, clock: Callable[[], float] = monotonic) -> Bucket:
    """Create a bucket for `times` as much as `rate` allows. A rate of None is no limit."""
    return TokenBucket(rate.tokens * times, rate.seconds, clock) if rate else Unlimited()
