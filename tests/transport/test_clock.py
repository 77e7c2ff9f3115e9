"""The clock, with a time that only the test moves."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import FakeTime

from chatapp.transport.loop.clock import GRAIN, Clock


@given(st.lists(st.tuples(st.sampled_from([0.5, 2, 10]), st.booleans())))
def test_timers_are_called_once_in_the_order_they_are_due(wanted):
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


def test_timer_may_start_another_timer():
    time = FakeTime()
    called: list = []
    time.clock.call_later(
        1, lambda: time.clock.call_later(1, lambda: called.append((time.now, "again")))
    )
    time.clock.call_later(1.5, lambda: called.append((time.now, "between")))
    time.run()
    assert called == [(1.5, "between"), (2, "again")]


def test_failing_timer_does_not_stop_the_others(caplog):
    time = FakeTime()
    called: list = []
    time.clock.call_later(1, lambda: 1 / 0)
    time.clock.call_later(1, lambda: called.append("next"))
    time.run()
    assert called == ["next"]
    assert "A timer failed" in caplog.text


def test_timers_due_at_almost_the_same_time_share_a_wakeup():
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


def test_no_task_runs_while_no_timer_is_pending():
    time = FakeTime()
    assert time.tasks == []
    time.clock.call_later(1, lambda: None).cancel()
    time.run()
    assert (time.tasks, time.now) == ([], pytest.approx(0))


def test_earlier_timer_wakes_the_task_that_waits_for_a_later_one():
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
