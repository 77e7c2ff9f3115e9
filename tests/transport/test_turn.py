"""What is said in a turn reaches each hearer once, in order, in one write."""

from __future__ import annotations

from contextlib import nullcontext

from hypothesis import given
from hypothesis import strategies as st

from chatapp.transport.loop.batching import Hearer, Turn
from chatapp.transport.loop.limits import Limits


class Sock:
    """Takes everything, and counts in how many writes."""

    def __init__(self) -> None:
        self.taken = b""
        self.writes = 0

    def send(self, data) -> int:
        self.taken += data
        self.writes += 1
        return len(data)

    def shutdown(self, how: int) -> None: ...


class Tasks:
    limits = Limits()
    lock = staticmethod(nullcontext)

    def spawn(self, call, *arguments) -> None:
        raise AssertionError("nothing should wait")


class Hall:
    """A few hearers and rooms, where a turn ends when the test says so."""

    def __init__(self, hearers: int = 4, rooms: int = 3) -> None:
        self.turn = Turn(lambda call: None)
        self.socks = [Sock() for _ in range(hearers)]
        self.hearers = [Hearer(sock, Tasks(), lambda: None, self.turn) for sock in self.socks]
        self.rooms: list[dict[Hearer, None]] = [{} for _ in range(rooms)]
        self.expected = [b""] * hearers
        self.frames = 0

    def frame(self) -> bytes:
        self.frames += 1
        return b"<%d>" % self.frames

    def say(self, room: int, skipped: set[int]) -> None:
        frame, crowd = self.frame(), self.rooms[room]
        self.turn.say_to_others(crowd, frame, [self.hearers[n] for n in skipped])
        for n, hearer in enumerate(self.hearers):
            if hearer in crowd and n not in skipped:
                self.expected[n] += frame

    def write(self, n: int) -> None:
        frame = self.frame()
        self.hearers[n].write(frame)
        self.expected[n] += frame

    def enter(self, n: int, room: int) -> None:
        self.turn.catch_up(self.hearers[n])
        self.rooms[room][self.hearers[n]] = None

    def leave(self, n: int, room: int) -> None:
        self.turn.catch_up(self.hearers[n])
        self.rooms[room].pop(self.hearers[n], None)

    def end(self) -> None:
        before = [sock.writes for sock in self.socks]
        self.turn.end()
        assert [sock.taken for sock in self.socks] == self.expected
        assert all(sock.writes <= n + 1 for sock, n in zip(self.socks, before, strict=True))


hearers, rooms = st.integers(0, 3), st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("say"), rooms, st.sets(hearers, max_size=2)),
    st.tuples(st.just("write"), hearers),
    st.tuples(st.just("enter"), hearers, rooms),
    st.tuples(st.just("leave"), hearers, rooms),
    st.tuples(st.just("end")),
)


@given(st.lists(STEPS, max_size=40))
def test_each_hears_what_it_would_have_heard_at_once(steps):
    hall = Hall()
    for name, *arguments in steps:
        getattr(hall, name)(*arguments)
    hall.end()


def test_a_crowds_frames_are_joined_once_for_all():
    hall = Hall()
    for n in range(4):
        hall.enter(n, 0)
    for _ in range(3):
        hall.say(0, set())
    hall.end()
    assert [sock.writes for sock in hall.socks] == [1] * 4
    assert hall.socks[0].taken == b"<1><2><3>"


def test_finishing_writes_what_was_said_before_and_nothing_after():
    hall = Hall()
    hall.enter(0, 0)
    hall.say(0, set())
    hall.write(0)
    hall.hearers[0].finish(b"")
    assert hall.socks[0].taken == b"<1><2>"
    hall.turn.say(hall.rooms[0], b"late")
    hall.hearers[0].write(b"late")
    hall.turn.end()
    assert hall.socks[0].taken == b"<1><2>"


def test_a_turns_end_is_asked_for_once():
    asked = []
    turn = Turn(asked.append)
    hearer = Hearer(Sock(), Tasks(), lambda: None, turn)
    turn.say({hearer: None}, b"a")
    turn.write(hearer, b"b")
    assert asked == [turn.end]
    turn.end()
    turn.write(hearer, b"c")
    assert asked == [turn.end] * 2
