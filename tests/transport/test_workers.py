"""Workers run calls that may block beside the loop, and keep nothing of them."""

from __future__ import annotations

import gc
import weakref

import gevent
from gevent import get_hub
from gevent.event import Event

from chatapp.transport.loop import workers
from chatapp.transport.loop.workers import Workers


def on_the_loop(call) -> None:
    """Have the loop make a call, and wait until it has."""
    over = Event()
    get_hub().loop.run_callback(lambda: (call(), over.set()))
    assert over.wait(5)


def test_call_on_the_loop_runs_at_once_until_it_waits():
    crew, order, go = Workers(), [], Event()

    def blocks() -> None:
        order.append("begins")
        go.wait(5)
        order.append("goes on")

    on_the_loop(lambda: (crew.run(blocks), order.append("the loop")))
    assert order == ["begins", "the loop"]
    go.set()
    gevent.sleep(0)
    assert order[2:] == ["goes on"]


def test_call_elsewhere_runs_when_the_loop_does():
    crew, order = Workers(), []
    crew.run(lambda: order.append("runs"))
    assert order == []
    gevent.sleep(0)
    assert order == ["runs"]


def test_worker_is_reused_and_keeps_nothing_of_its_call():
    class Thing:
        def work(self) -> None:
            used.append(gevent.getcurrent())

    crew, used, kept = Workers(), [], weakref.WeakSet()
    for _ in range(3):
        thing = Thing()
        kept.add(thing)
        on_the_loop(lambda thing=thing: crew.run(thing.work))
    assert used[0] is used[1] is used[2]
    del thing
    gc.collect()
    assert not kept


def test_number_of_idle_workers_is_bounded(monkeypatch):
    monkeypatch.setattr(workers, "MAX_IDLE", 2)
    crew, go = Workers(), Event()
    on_the_loop(lambda: [crew.run(go.wait) for _ in range(5)])
    go.set()
    gevent.sleep(0)
    assert len(crew.idle) == 2
