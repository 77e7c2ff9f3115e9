"""However many are ready at once, the loop goes on, and each has its turn."""

from __future__ import annotations

from functools import partial

import gevent
import pytest

from chatapp.transport.loop.hub import call_after_events, call_in_next_iteration
from chatapp.transport.loop.reading import SLICE, STARVED, STEPS_PER_SLICE, ReadScheduler


class Loop:
    """Tells in each turn who is ready of those that it watches, the last one first, as libev
    does; then come the calls that wait for that."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: list[Reader] = []
        self.told = 0
        self.calls: list = []
        self.next: list = []
        self.served: list[Reader] = []
        self.scheduler = ReadScheduler(
            self.calls.append, self.next.append, seconds=SLICE, clock=lambda: self.now
        )

    def turn(self) -> float:
        """Its length in seconds."""
        began = self.now
        due = self.next.copy()
        self.next.clear()
        watched = [reader for reader in reversed(self.ready) if reader.watched]
        self.told += len(watched)
        for call in [partial(self.scheduler.ready, reader) for reader in watched] + due:
            call()
        while self.calls:
            self.calls.pop(0)()
        return self.now - began


class Reader:
    """Has `left` things to read, each of which takes `seconds`; reads `at_once` in a slice."""

    def __init__(self, loop: Loop, left: int = 1, seconds: float = 0.001, at_once: int = 1) -> None:
        self.loop = loop
        self.left = left
        self.seconds = seconds
        self.at_once = at_once
        self.watched = True
        loop.ready.append(self)

    def pause(self) -> None:
        self.watched = False

    def resume_and_read(self) -> None:
        self.watched = True
        self.read()

    def read(self) -> None:
        self.loop.served.append(self)
        for _ in range(self.at_once):
            self.loop.now += self.seconds
            self.left -= 1
            if self.left == 0:
                self.loop.ready.remove(self)
                return
        if self.at_once > 1:
            self.loop.scheduler.used_up(self)


def turn_for_ever(loop: Loop) -> None:
    while True:
        loop.turn()


def flood(loop: Loop, count: int) -> list[Reader]:
    """Connections that have used up a slice and always have more."""
    floods = [Reader(loop, left=10**9, at_once=STEPS_PER_SLICE) for _ in range(count)]
    while not set(floods) <= set(loop.served):
        loop.turn()
    return floods


@pytest.fixture
def loop():
    return Loop()


def test_a_few_connections_are_read_at_once(loop):
    for _ in range(5):
        Reader(loop)
    assert loop.turn() == pytest.approx(0.005)
    assert not loop.ready


def test_a_turn_is_short_however_many_connections_are_ready(loop):
    for _ in range(95):
        Reader(loop)
    turns = []
    while loop.ready:
        turns.append(loop.turn())
    assert max(turns) <= 2 * SLICE + 0.0011  # what is ready by now, and what waits from before
    assert len(turns) <= 10


def test_the_loop_reports_each_ready_connection_once(loop):
    for _ in range(95):
        Reader(loop)
    while loop.ready:
        loop.turn()
    assert loop.told == 95


def test_a_connection_does_not_wait_for_those_that_always_have_something(loop):
    patient = Reader(loop)
    for _ in range(30):
        Reader(loop, left=1000)
    for _ in range(4):
        loop.turn()
    assert patient.left == 0


@pytest.mark.parametrize("flooding", [1, 10, 300])
def test_a_newcomer_waits_for_at_most_one_slice_of_each_other_connection(loop, flooding):
    floods = flood(loop, flooding)
    for _ in range(50):
        loop.turn()
        loop.served.clear()
        newcomer = Reader(loop)
        while newcomer.left:
            loop.turn()
        before = loop.served[: loop.served.index(newcomer)]
        assert max(map(before.count, floods), default=0) <= 1


def test_a_connection_is_served_once_until_the_loop_has_looked_for_new_events(loop):
    first = Reader(loop, left=10**9, at_once=STEPS_PER_SLICE)
    loop.turn()
    second = Reader(loop, left=10**9, at_once=STEPS_PER_SLICE)
    served = []
    for _ in range(10):
        loop.served.clear()
        loop.turn()
        served += loop.served
        assert loop.served.count(first) <= 1
        assert loop.served.count(second) <= 1
    assert {first, second} <= set(served)


def test_a_newcomer_goes_before_those_with_a_backlog(loop):
    flood(loop, 100)
    newcomer = Reader(loop)
    loop.turn()
    assert newcomer.left == 0


def test_newcomers_do_not_starve_a_backlog(loop):
    backlogged = Reader(loop, left=10**6, at_once=STEPS_PER_SLICE)
    loop.turn()
    loop.served.clear()
    began = loop.now
    while backlogged not in loop.served:
        for _ in range(40):
            Reader(loop)
        loop.turn()
    assert loop.now - began < STARVED + 0.1


def test_a_turn_is_short_however_many_are_starved(loop):
    flood(loop, 300)
    turns = []
    for _ in range(200):
        for _ in range(40):
            Reader(loop)
        turns.append(loop.turn())
    step = STEPS_PER_SLICE * 0.001
    assert max(turns) <= 3 * SLICE + step + 0.0011  # events, those that wait, and a backlog


def test_a_reader_that_fails_keeps_nobody_else_waiting(loop):
    failing = Reader(loop, left=10**6, at_once=2)
    loop.turn()
    failing.resume_and_read = lambda: 1 / 0
    other = Reader(loop, left=4, at_once=2)
    with pytest.raises(ZeroDivisionError):
        turn_for_ever(loop)
    while other.left:
        loop.turn()


def stepping(scheduler: ReadScheduler, name: str, count: int, took: list[str]) -> None:
    for _ in range(count):
        scheduler.wait_for_step()
        took.append(name)


def join(*greenlets: gevent.Greenlet) -> None:
    """Wait for them, for 10 s at most, counted from now and not from the loop's last turn."""
    gevent.get_hub().loop.update_now()
    gevent.joinall(greenlets, timeout=10, raise_error=True)


def test_greenlets_take_turns_after_so_many_steps():
    scheduler = ReadScheduler(call_after_events, call_in_next_iteration, seconds=3600)
    took: list[str] = []
    both = [gevent.spawn(stepping, scheduler, name, 80, took) for name in "ab"]
    join(*both)
    runs = "".join(took).replace("ab", "a b").replace("ba", "b a").split()
    assert max(map(len, runs)) <= STEPS_PER_SLICE
    assert sorted(took) == ["a"] * 80 + ["b"] * 80


def test_a_greenlet_lets_the_loop_turn_when_its_time_is_over():
    scheduler = ReadScheduler(call_after_events, call_in_next_iteration, seconds=0)
    took: list[str] = []
    other: list[int] = []
    alone = gevent.spawn(stepping, scheduler, "a", 5, took)
    timer = gevent.get_hub().loop.timer(0)
    timer.start(lambda: other.append(len(took)))
    join(alone)
    timer.close()
    assert len(took) == 5
    assert other[0] < 5


def test_a_greenlet_that_is_killed_while_it_waits_leaves_the_turn_to_others():
    scheduler = ReadScheduler(call_after_events, call_in_next_iteration, seconds=0)
    took: list[str] = []
    killed, other = (gevent.spawn(stepping, scheduler, name, 3, took) for name in "ab")
    gevent.sleep(0)
    killed.kill()
    join(other)
    assert (took.count("a"), took.count("b")) == (1, 3)


def test_in_threads_nobody_waits():
    scheduler = ReadScheduler(lambda call: None, lambda call: None, greenlets=False, seconds=0)
    took: list[str] = []
    stepping(scheduler, "a", 100, took)
    assert len(took) == 100
