"""A turn of the loop: what is said within it leaves together at its end."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, Protocol

from chatapp.transport.loop.outbox import Outbox, Tasks


class Crowd(Container["Hearer"], Iterable["Hearer"], Protocol):
    """Those who hear what is said in a room."""

    def __len__(self) -> int: ...


class Hearer(Outbox):
    """An outbox whose frames leave in one write at the end of the turn."""

    __slots__ = ("_turn", "seen", "waiting")

    def __init__(self, sock: Any, tasks: Tasks, on_cut: Callable[[], Any], turn: Turn) -> None:
        super().__init__(sock, tasks, on_cut)
        self._turn = turn
        self.waiting: list[bytes] | None = None
        """Frames of this turn, where they aren't those of the crowds that it's in."""
        self.seen = 0
        """How many of the turn's sayings have been taken over into `waiting`."""

    def write(self, data: bytes) -> None:
        """Write a frame at the end of the turn, after all that was said before it."""
        self._turn.write(self, data)

    def finish(self, last: bytes) -> None:
        self._turn.catch_up(self)
        self.flush()
        super().finish(last)

    def flush(self) -> None:
        """Write what is in `waiting`, now."""
        if self.waiting:
            data = b"".join(self.waiting)
            self.waiting.clear()
            super().write(data)


class Turn:
    """What is said in this turn of the loop, once, and by whom it's heard.

    A crowd's frames are joined once for all who hear nothing else. Whoever is written to by itself,
    or comes or goes, is first brought up to date: it has frames of its own from then on, in the
    order in which everything was said. `at_its_end(call)` has `call()` called when the turn ends.
    """

    def __init__(self, at_its_end: Callable[[Callable[[], None]], Any]) -> None:
        self._at_its_end = at_its_end
        self._said: list[tuple[Crowd, bytes]] = []
        self._apart: list[Hearer] = []
        self._ending = False

    def say(self, crowd: Crowd, frame: bytes) -> None:
        """Let everyone in `crowd` hear `frame`."""
        self._said.append((crowd, frame))
        self._end_later()

    def say_to_others(self, crowd: Crowd, frame: bytes, skipped: Iterable[Hearer]) -> None:
        """Let everyone in `crowd` but for `skipped` hear `frame`."""
        for hearer in skipped:
            self._set_apart(hearer)
        self.say(crowd, frame)
        for hearer in skipped:
            hearer.seen += 1

    def write(self, hearer: Hearer, frame: bytes) -> None:
        """Let `hearer` alone hear `frame`."""
        self._set_apart(hearer).append(frame)
        self._end_later()

    def catch_up(self, hearer: Hearer) -> None:
        """Give `hearer` what has been said so far to the crowds that it's in."""
        if self._said:
            self._set_apart(hearer)

    def _set_apart(self, hearer: Hearer) -> list[bytes]:
        waiting = hearer.waiting
        if waiting is None:
            waiting = hearer.waiting = []
            self._apart.append(hearer)
        said = self._said
        if hearer.seen < len(said):
            waiting += [frame for crowd, frame in said[hearer.seen :] if hearer in crowd]
            hearer.seen = len(said)
        return waiting

    def _end_later(self) -> None:
        if not self._ending:
            self._ending = True
            self._at_its_end(self.end)

    def end(self) -> None:
        """Write everything."""
        crowds = list({id(crowd): crowd for crowd, _ in self._said}.values())
        if len(crowds) > 1:
            self._set_apart_who_is_in_several(crowds)
        for hearer in self._apart:
            self._set_apart(hearer)
        said, self._said = self._said, []
        apart, self._apart = self._apart, []
        self._ending = False
        for crowd in crowds:
            write_to_all(crowd, b"".join([frame for whose, frame in said if whose is crowd]))
        for hearer in apart:
            hearer.flush()
            hearer.waiting = None
            hearer.seen = 0

    def _set_apart_who_is_in_several(self, crowds: list[Crowd]) -> None:
        met: set[Hearer] = set()
        for crowd in crowds:
            for hearer in met.intersection(crowd):
                self._set_apart(hearer)
            met.update(crowd)


def write_to_all(crowd: Iterable[Hearer], data: bytes) -> None:
    """Write `data` to all who aren't set apart: the one place where each look-up counts."""
    size = len(data)
    for hearer in crowd:
        if hearer.waiting is None:
            try:
                sent = hearer.send(data)
            except OSError:
                sent = 0
            if sent < size:
                hearer.keep(data, sent)


def at_the_loops_end(call: Callable[[], None]) -> None:
    """Have `call()` called once all that gevent's loop has read by now has been dealt with."""
    from gevent import get_hub  # noqa: PLC0415 (threads need none)

    get_hub().loop.run_callback(call)


def in_the_loops_next_turn(call: Callable[[], None]) -> None:
    """Have `call()` called once gevent's loop has looked for new events, as the last of them: the
    timer's priority is the lowest."""
    from gevent import get_hub  # noqa: PLC0415 (threads need none)

    loop = get_hub().loop
    timer = loop.timer(0, priority=loop.MINPRI)

    def due() -> None:
        timer.close()
        call()

    timer.start(due)
