"""With any number of ready connections the loop goes on, and each is served."""

from __future__ import annotations

from functools import partial

import gevent
import pytest

from chatapp.transport.loop.hub import call_after_events, call_in_next_iteration
from chatapp.transport.loop.reading import SLICE, STARVED, STEPS_PER_SLICE, ReadScheduler


class Loop:
    """An event loop.

    In each iteration it reports the ready connections that it watches, the last one first, as libev
    does. Then it makes the calls that wait for that.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: list[Reader] = []
        self.reported = 0
        self.calls: list = []
        self.next: list = []
        self.served: list[Reader] = []
        self.scheduler = ReadScheduler(
            self.calls.append, self.next.append, seconds=SLICE, clock=lambda: self.now
        )

    def iterate(self) -> float:
        """Run one iteration, and return its length in seconds."""
        began = self.now
        due = self.next.copy()
        self.next.clear()
        watched = [reader for reader in reversed(self.ready) if reader.watched]
        self.reported += len(watched)
        for call in [partial(self.scheduler.ready, reader) for reader in watched] + due:
            call()
        while self.calls:
            self.calls.pop(0)()
        return self.now - began


class Reader:
    """Has `left` messages, each of which takes `seconds`; reads `at_once` of them in a slice."""

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


def iterate_for_ever(loop: Loop) -> None:
    while True:
        loop.iterate()


def flood(loop: Loop, count: int) -> list[Reader]:
    """Connections that have used up a slice and always have more."""
    floods = [Reader(loop, left=10**9, at_once=STEPS_PER_SLICE) for _ in range(count)]
    while not set(floods) <= set(loop.served):
        loop.iterate()
    return floods


@pytest.fixture
def loop():
    return Loop()


def test_few_ready_connections_are_read_at_once(loop):
    for _ in range(5):
        Reader(loop)
    assert loop.iterate() == pytest.approx(0.005)
    assert not loop.ready


def test_iteration_is_short_with_many_ready_connections(loop):
    for _ in range(95):
        Reader(loop)
    lengths = []
    while loop.ready:
        lengths.append(loop.iterate())
    assert max(lengths) <= 2 * SLICE + 0.0011  # new ready connections, and waiting ones
    assert len(lengths) <= 10


def test_loop_reports_each_ready_connection_once(loop):
    for _ in range(95):
        Reader(loop)
    while loop.ready:
        loop.iterate()
    assert loop.reported == 95


def test_connection_does_not_wait_for_a_flood(loop):
    patient = Reader(loop)
    for _ in range(30):
        Reader(loop, left=1000)
    for _ in range(4):
        loop.iterate()
    assert patient.left == 0


@pytest.mark.parametrize("flooding", [1, 10, 300])
def test_new_connection_waits_for_one_slice_of_each_other_at_most(loop, flooding):
    floods = flood(loop, flooding)
    for _ in range(50):
        loop.iterate()
        loop.served.clear()
        new_one = Reader(loop)
        while new_one.left:
            loop.iterate()
        before = loop.served[: loop.served.index(new_one)]
        assert max(map(before.count, floods), default=0) <= 1


def test_connection_has_one_slice_between_two_polls_of_the_loop(loop):
    first = Reader(loop, left=10**9, at_once=STEPS_PER_SLICE)
    loop.iterate()
    second = Reader(loop, left=10**9, at_once=STEPS_PER_SLICE)
    served = []
    for _ in range(10):
        loop.served.clear()
        loop.iterate()
        served += loop.served
        assert loop.served.count(first) <= 1
        assert loop.served.count(second) <= 1
    assert {first, second} <= set(served)


def test_new_connection_goes_before_those_with_a_backlog(loop):
    flood(loop, 100)
    new_one = Reader(loop)
    loop.iterate()
    assert new_one.left == 0


def test_new_connections_do_not_starve_a_backlog(loop):
    backlogged = Reader(loop, left=10**6, at_once=STEPS_PER_SLICE)
    loop.iterate()
    loop.served.clear()
    began = loop.now
    while backlogged not in loop.served:
        for _ in range(40):
            Reader(loop)
        loop.iterate()
    assert loop.now - began < STARVED + 0.1


def test_iteration_is_short_with_many_starved_connections(loop):
    flood(loop, 300)
    lengths = []
    for _ in range(200):
        for _ in range(40):
            Reader(loop)
        lengths.append(loop.iterate())
    step = STEPS_PER_SLICE * 0.001
    assert max(lengths) <= 3 * SLICE + step + 0.0011  # events, waiting connections, and a backlog


def test_failing_reader_does_not_stop_the_others(loop):
    failing = Reader(loop, left=10**6, at_once=2)
    loop.iterate()
    failing.resume_and_read = lambda: 1 / 0
    other = Reader(loop, left=4, at_once=2)
    with pytest.raises(ZeroDivisionError):
        iterate_for_ever(loop)
    while other.left:
        loop.iterate()


def stepping(scheduler: ReadScheduler, name: str, count: int, steps: list[str]) -> None:
    for _ in range(count):
        scheduler.wait_for_step()
        steps.append(name)


def join(*greenlets: gevent.Greenlet) -> None:
    """Wait for greenlets for up to 10 s, counted from now and not from the loop's own time."""
    gevent.get_hub().loop.update_now()
    gevent.joinall(greenlets, timeout=10, raise_error=True)


def test_greenlets_alternate_after_a_slice_of_steps():
    scheduler = ReadScheduler(call_after_events, call_in_next_iteration, seconds=3600)
    steps: list[str] = []
    both = [gevent.spawn(stepping, scheduler, name, 80, steps) for name in "ab"]
    join(*both)
    runs = "".join(steps).replace("ab", "a b").replace("ba", "b a").split()
    assert max(map(len, runs)) <= STEPS_PER_SLICE
    assert sorted(steps) == ["a"] * 80 + ["b"] * 80


def test_greenlet_yields_to_the_loop_when_its_slice_is_over():
    scheduler = ReadScheduler(call_after_events, call_in_next_iteration, seconds=0)
    steps: list[str] = []
    other: list[int] = []
    alone = gevent.spawn(stepping, scheduler, "a", 5, steps)
    timer = gevent.get_hub().loop.timer(0)
    timer.start(lambda: other.append(len(steps)))
    join(alone)
    timer.close()
    assert len(steps) == 5
    assert other[0] < 5


def test_greenlet_killed_while_it_waits_does_not_block_others():
    scheduler = ReadScheduler(call_after_events, call_in_next_iteration, seconds=0)
    steps: list[str] = []
    killed, other = (gevent.spawn(stepping, scheduler, name, 3, steps) for name in "ab")
    gevent.sleep(0)
    killed.kill()
    join(other)
    assert (steps.count("a"), steps.count("b")) == (1, 3)


def test_threads_do_not_wait():
    scheduler = ReadScheduler(lambda call: None, lambda call: None, greenlets=False, seconds=0)
    steps: list[str] = []
    stepping(scheduler, "a", 100, steps)
    assert len(steps) == 100
