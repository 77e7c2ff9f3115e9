"""The token bucket."""

from __future__ import annotations

import pytest

from chatapp.errors import RateLimited
from chatapp.limits import Rate, TokenBucket, bucket


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bucket_allows_its_capacity_at_once_and_no_more():
    tokens = TokenBucket(3, 6, Clock())
    for _ in range(3):
        tokens.take()
    with pytest.raises(RateLimited) as refusal:
        tokens.take()
    assert refusal.value.retry_after == 2000


def test_bucket_refills_evenly():
    clock = Clock()
    tokens = TokenBucket(3, 6, clock)
    for _ in range(3):
        tokens.take()
    clock.now = 2.0
    tokens.take()
    with pytest.raises(RateLimited):
        tokens.take()


def test_retry_after_is_the_time_until_the_next_token():
    clock = Clock()
    tokens = TokenBucket(1, 3, clock)
    tokens.take()
    clock.now = 0.4
    with pytest.raises(RateLimited) as refusal:
        tokens.take()
    clock.now += refusal.value.retry_after / 1000
    tokens.take()


def test_bucket_never_exceeds_its_capacity():
    clock = Clock()
    tokens = TokenBucket(2, 1, clock)
    clock.now = 1000.0
    tokens.take()
    tokens.take()
    with pytest.raises(RateLimited):
        tokens.take()


def test_no_rate_is_no_limit():
    unlimited = bucket(None)
    for _ in range(10000):
        unlimited.take()


def test_times_multiplies_capacity_and_rate():
    clock = Clock()
    tokens = bucket(Rate(2, 10), times=2, clock=clock)
    for _ in range(4):
        tokens.take()
    with pytest.raises(RateLimited) as refusal:
        tokens.take()
    assert refusal.value.retry_after == 2500
