"""Lines about what clients send are bounded in number."""

from __future__ import annotations

import logging
import threading

import pytest

from chatapp.transport.logs import LimitedLog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock):
    return LimitedLog(logging.getLogger("limited"), 60, clock)


def test_line_is_logged_once_an_interval(log, clock, caplog):
    for clock.now in (0, 1, 59.9, 60, 61, 120):
        log.warning("at %d", clock.now)
    assert caplog.messages == [
        "at 0",
        "at 60 (and 2 more like this)",
        "at 120 (and 1 more like this)",
    ]


def test_many_lines_are_counted_with_commas(log, clock, caplog):
    for _ in range(1205):
        log.warning("bad %.99a", "x")
    clock.now = 60
    log.warning("bad %.99a", "y")
    assert caplog.messages[1:] == ["bad 'y' (and 1,204 more like this)"]


def test_two_kinds_do_not_hide_each_other(log, clock, caplog):
    other = LimitedLog(logging.getLogger("limited"), 60, clock)
    log.warning("one")
    other.warning("two")
    assert caplog.messages == ["one", "two"]


def test_threads_log_one_line(log, clock, caplog):
    barrier = threading.Barrier(8)

    def log_often() -> None:
        barrier.wait()
        for _ in range(100):
            log.warning("bad")

    threads = [threading.Thread(target=log_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now = 60
    log.warning("bad")
    assert caplog.messages == ["bad", "bad (and 799 more like this)"]
