"""Each recipient gets the frames of a batch once, in order, in one write."""

from __future__ import annotations

from contextlib import nullcontext

from hypothesis import given
from hypothesis import strategies as st

from chatapp.transport.loop.batching import BatchedOutbox, WriteBatch
from chatapp.transport.loop.limits import Limits


class Sock:
    """Takes everything, and counts the writes."""

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
    """A few outboxes and rooms; a batch ends when the test says so."""

    def __init__(self, outboxes: int = 4, rooms: int = 3) -> None:
        self.batch = WriteBatch(lambda call: None)
        self.socks = [Sock() for _ in range(outboxes)]
        self.outboxes = [
            BatchedOutbox(sock, Tasks(), lambda: None, self.batch) for sock in self.socks
        ]
        self.rooms: list[dict[BatchedOutbox, None]] = [{} for _ in range(rooms)]
        self.expected = [b""] * outboxes
        self.frames = 0

    def frame(self) -> bytes:
        self.frames += 1
        return b"<%d>" % self.frames

    def broadcast(self, room: int, skipped: set[int]) -> None:
        frame, members = self.frame(), self.rooms[room]
        self.batch.broadcast_except(members, frame, [self.outboxes[n] for n in skipped])
        for n, outbox in enumerate(self.outboxes):
            if outbox in members and n not in skipped:
                self.expected[n] += frame

    def write(self, n: int) -> None:
        frame = self.frame()
        self.outboxes[n].write(frame)
        self.expected[n] += frame

    def enter(self, n: int, room: int) -> None:
        self.batch.catch_up(self.outboxes[n])
        self.rooms[room][self.outboxes[n]] = None

    def leave(self, n: int, room: int) -> None:
        self.batch.catch_up(self.outboxes[n])
        self.rooms[room].pop(self.outboxes[n], None)

    def end(self) -> None:
        before = [sock.writes for sock in self.socks]
        self.batch.end()
        assert [sock.taken for sock in self.socks] == self.expected
        assert all(sock.writes <= n + 1 for sock, n in zip(self.socks, before, strict=True))


outboxes, rooms = st.integers(0, 3), st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("broadcast"), rooms, st.sets(outboxes, max_size=2)),
    st.tuples(st.just("write"), outboxes),
    st.tuples(st.just("enter"), outboxes, rooms),
    st.tuples(st.just("leave"), outboxes, rooms),
    st.tuples(st.just("end")),
)


@given(st.lists(STEPS, max_size=40))
def test_each_recipient_gets_what_immediate_writes_would_send(steps):
    hall = Hall()
    for name, *arguments in steps:
        getattr(hall, name)(*arguments)
    hall.end()


def test_frames_of_broadcasts_are_joined_into_one_write():
    hall = Hall()
    for n in range(4):
        hall.enter(n, 0)
    for _ in range(3):
        hall.broadcast(0, set())
    hall.end()
    assert [sock.writes for sock in hall.socks] == [1] * 4
    assert hall.socks[0].taken == b"<1><2><3>"


def test_finish_writes_earlier_frames_and_drops_later_ones():
    hall = Hall()
    hall.enter(0, 0)
    hall.broadcast(0, set())
    hall.write(0)
    hall.outboxes[0].finish(b"")
    assert hall.socks[0].taken == b"<1><2>"
    hall.batch.broadcast(hall.rooms[0], b"late")
    hall.outboxes[0].write(b"late")
    hall.batch.end()
    assert hall.socks[0].taken == b"<1><2>"


def test_end_of_batch_is_deferred_once():
    deferred = []
    batch = WriteBatch(deferred.append)
    outbox = BatchedOutbox(Sock(), Tasks(), lambda: None, batch)
    batch.broadcast({outbox: None}, b"a")
    batch.write(outbox, b"b")
    assert deferred == [batch.end]
    batch.end()
    batch.write(outbox, b"c")
    assert deferred == [batch.end] * 2
