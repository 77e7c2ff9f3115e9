"""The clock, in a time that passes only where a test says so."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import FakeTime

from chatapp.transport.loop.clock import GRAIN, Clock


@given(st.lists(st.tuples(st.sampled_from([0.5, 2, 10]), st.booleans())))
def test_each_is_called_once_in_the_order_in_which_they_are_due(wanted):
    time = FakeTime()
    called: list = []
    expected = []
    number = count()
    for seconds, cancelled in wanted:
        me = (seconds, next(number))
        timer = time.clock.call_later(seconds, lambda me=me: called.append((time.now, me)))
        if cancelled:
            timer.cancel()
        else:
            expected.append((seconds, me))
    time.run()
    assert called == sorted(expected)


def test_what_is_called_may_have_something_called_later():
    time = FakeTime()
    called: list = []
    time.clock.call_later(
        1, lambda: time.clock.call_later(1, lambda: called.append((time.now, "again")))
    )
    time.clock.call_later(1.5, lambda: called.append((time.now, "between")))
    time.run()
    assert called == [(1.5, "between"), (2, "again")]


def test_one_that_fails_costs_the_others_nothing(caplog):
    time = FakeTime()
    called: list = []
    time.clock.call_later(1, lambda: 1 / 0)
    time.clock.call_later(1, lambda: called.append("next"))
    time.run()
    assert called == ["next"]
    assert "a timer failed" in caplog.text


def test_a_crowds_timers_do_not_each_wake_the_process():
    time = FakeTime()
    called: list = []
    for number in range(100):
        time.clock.call_later(1 + number / 1000, lambda number=number: called.append(number))
    waits: list = []
    wait = time.wait
    time.wait = lambda seconds: (waits.append(seconds), wait(seconds))
    time.run()
    assert called == list(range(100))
    assert len(waits) <= 12
    assert time.now <= 1.099 + GRAIN


def test_nothing_runs_while_nothing_is_due():
    time = FakeTime()
    assert time.tasks == []
    time.clock.call_later(1, lambda: None).cancel()
    time.run()
    assert (time.tasks, time.now) == ([], pytest.approx(0))


def test_a_nearer_one_wakes_who_waits_for_a_farther_one():
    clock = Clock(
        lambda call: threading.Thread(target=call, daemon=True).start(),
        threading.Event,
        lock=threading.Lock,
    )
    rung = threading.Event()
    far = clock.call_later(60, lambda: None)
    near = clock.call_later(0.01, rung.set)
    assert rung.wait(5)
    far.cancel()
    near.cancel()
    clock.call_later(0, lambda: None)
