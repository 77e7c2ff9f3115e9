"""The tests of the Log contract, which the tests of each store inherit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest

from chatapp.chat.log import MAX_READ_BYTES, Draft, Log, Retention
from chatapp.errors import Unavailable

DAY = 86400.0  # seconds
ALL = Retention(messages=0, days=0)


class Clock:
    """A clock that a test sets, in seconds since 1970."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run `work(0)`, `work(1)`, … in `count` threads, and wait for all of them."""
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class LogContract:
    """Tests of the contract in `chatapp/chat/log.py`.

    A subclass provides the fixture `make_log`. `make_log(retention, clock)` returns a new log.
    """

    @pytest.fixture
    def log(self, make_log) -> Log:
        return make_log()

    def fill(self, log: Log, count: int, room: str = "lobby", message: str = "{}") -> None:
        for n in range(1, count + 1):
            log.append(Draft(room, "Ann", message.format(n)))

    def ids(self, page) -> tuple[list[int], bool]:
        return [entry.id for entry in page.entries], page.more

    def test_each_room_is_numbered_from_one(self, log):
        assert [log.append(Draft("a", "Ann", "x")).id for _ in range(3)] == [1, 2, 3]
        assert log.append(Draft("b", "Ann", "x")).id == 1

    def test_entry_has_the_fields_of_its_draft(self, log):
        entry = log.append(Draft("lobby", "Ann", "<b>\n😀", "key-0001"))
        assert (entry.room, entry.user, entry.message) == ("lobby", "Ann", "<b>\n😀")
        assert (entry.key, entry.at) == ("key-0001", 1_000_000)
        assert log.read("lobby").entries == [entry]

    def test_same_key_returns_the_first_entry(self, log):
        first = log.append(Draft("lobby", "Ann", "one", "key-0001"))
        assert log.append(Draft("lobby", "ANN", "two", "key-0001")) == first
        assert log.find("lobby", "ann", "key-0001") == first
        assert self.ids(log.read("lobby")) == ([1], False)

    def test_key_belongs_to_its_room_and_user(self, log):
        log.append(Draft("a", "Ann", "x", "key-0001"))
        assert log.append(Draft("a", "Bo", "x", "key-0001")).id == 2
        assert log.append(Draft("b", "Ann", "x", "key-0001")).id == 1
        assert log.find("c", "Ann", "key-0001") is None
        assert log.find("a", "Ann", "key-0002") is None

    def test_messages_without_key_are_never_duplicates(self, log):
        self.fill(log, 2, message="same")
        assert self.ids(log.read("lobby")) == ([1, 2], False)

    def test_at_never_goes_backwards(self, make_log):
        clock = Clock(5.0)
        log = make_log(clock=clock)
        for clock.now in (5.0, 3.0, 6.0):
            self.fill(log, 1)
        assert [entry.at for entry in log.read("lobby").entries] == [5000, 5000, 6000]

    @pytest.mark.parametrize(
        ("asked", "ids", "more"),
        [
            ({}, range(1, 11), False),
            ({"limit": 3}, [8, 9, 10], True),
            ({"limit": 10}, range(1, 11), False),
            ({"since": 0}, range(1, 11), False),
            ({"since": 0, "limit": 3}, [1, 2, 3], True),
            ({"since": 7}, [8, 9, 10], False),
            ({"since": 7, "limit": 3}, [8, 9, 10], False),
            ({"since": 7, "limit": 2}, [8, 9], True),
            ({"since": 10}, [], False),
            ({"since": 2**53 - 1}, [], False),
            ({"before": 0}, [], False),
            ({"before": 1}, [], False),
            ({"before": 4}, [1, 2, 3], False),
            ({"before": 4, "limit": 2}, [2, 3], True),
            ({"before": 2**53 - 1, "limit": 2}, [9, 10], True),
        ],
    )
    def test_read_returns_the_page(self, log, asked, ids, more):
        self.fill(log, 10)
        assert self.ids(log.read("lobby", **asked)) == (list(ids), more)

    def test_read_of_empty_room_returns_empty_page(self, log):
        for asked in ({}, {"since": 0}, {"before": 5}):
            assert self.ids(log.read("nobody", **asked)) == ([], False)
            assert log.read("nobody", **asked).epoch == log.epoch

    def test_page_is_bounded_in_bytes(self, log):
        self.fill(log, 30, message="😀" * 1000)
        for page in (log.read("lobby"), log.read("lobby", since=0)):
            size = len(msgspec.json.encode([entry.arguments() for entry in page.entries]))
            assert page.more
            assert MAX_READ_BYTES - 4200 < size <= MAX_READ_BYTES
        assert log.read("lobby").entries[-1].id == 30
        assert log.read("lobby", since=0).entries[0].id == 1

    def test_entry_over_the_bound_is_returned_alone(self, log):
        self.fill(log, 2, message="x" * 70000)
        assert self.ids(log.read("lobby", since=0)) == ([1], True)
        assert self.ids(log.read("lobby")) == ([2], True)

    def test_retention_by_count_keeps_the_newest(self, make_log):
        log = make_log(Retention(messages=3))
        log.append(Draft("lobby", "Ann", "x", "key-0001"))
        self.fill(log, 4)
        assert self.ids(log.read("lobby")) == ([3, 4, 5], False)
        assert self.ids(log.read("lobby", since=0)) == ([3, 4, 5], False)
        assert self.ids(log.read("lobby", before=3)) == ([], False)
        assert log.find("lobby", "Ann", "key-0001") is None
        assert log.append(Draft("lobby", "Ann", "x", "key-0001")).id == 6

    def test_retention_by_days_deletes_older_messages(self, make_log):
        clock = Clock(0.0)
        log = make_log(Retention(days=2), clock)
        log.append(Draft("lobby", "Ann", "x", "key-0001"))
        clock.now = DAY
        self.fill(log, 1)
        clock.now = 2 * DAY
        assert self.ids(log.read("lobby", since=0)) == ([1, 2], False)
        clock.now = 2 * DAY + 0.001
        assert self.ids(log.read("lobby", since=0)) == ([2], False)
        assert self.ids(log.read("lobby")) == ([2], False)
        assert log.find("lobby", "Ann", "key-0001") is None
        clock.now = 9 * DAY
        assert self.ids(log.read("lobby")) == ([], False)
        assert log.append(Draft("lobby", "Ann", "x", "key-0001")).id == 3

    def test_retention_without_limits_keeps_all(self, make_log):
        clock = Clock(0.0)
        log = make_log(Retention(messages=0, days=0), clock)
        self.fill(log, 5)
        clock.now = 10_000 * DAY
        assert self.ids(log.read("lobby")) == ([1, 2, 3, 4, 5], False)

    def test_subscribers_get_each_entry_once_before_append_returns(self, log):
        delivered: list[int] = []
        log.subscribe(lambda batch: delivered.extend(entry.id for entry in batch))
        for n in range(1, 6):
            log.append(Draft("lobby", "Ann", "x", f"key-{n:04}"))
            assert delivered == list(range(1, n + 1))
        log.append(Draft("lobby", "Ann", "x", "key-0001"))
        assert delivered == [1, 2, 3, 4, 5]

    def test_error_in_a_subscriber_does_not_affect_others(self, log, caplog):
        delivered: list[int] = []

        def fail(batch):
            raise ValueError("broken")

        log.subscribe(fail)
        log.subscribe(lambda batch: delivered.extend(entry.id for entry in batch))
        assert log.append(Draft("lobby", "Ann", "x")).id == 1
        assert delivered == [1]
        assert caplog.text.count("Traceback") == 1

    def test_concurrent_appends_leave_no_gap_and_are_delivered_in_order(self, log):
        delivered: list[int] = []
        log.subscribe(lambda batch: delivered.extend(entry.id for entry in batch))
        barrier = threading.Barrier(8)

        def write(_: int) -> None:
            barrier.wait()
            self.fill(log, 50)

        in_threads(write, 8)
        assert delivered == list(range(1, 401))

    def test_concurrent_rooms_are_each_numbered_without_gaps(self, log):
        barrier = threading.Barrier(6)

        def write(n: int) -> None:
            barrier.wait()
            for _ in range(30):
                self.fill(log, 1, room=f"room-{n % 3}")

        in_threads(write, 6)
        for n in range(3):
            page = log.read(f"room-{n}", since=0, limit=200)
            assert self.ids(page) == (list(range(1, 61)), False)

    def test_appends_of_one_writer_keep_their_order(self, log):
        barrier = threading.Barrier(4)

        def write(n: int) -> None:
            barrier.wait()
            self.fill(log, 25, message=f"{n} {{:04}}")

        in_threads(write, 4)
        messages = [entry.message for entry in log.read("lobby", since=0, limit=200).entries]
        for n in range(4):
            own = [message for message in messages if message.startswith(f"{n} ")]
            assert own == sorted(own)
            assert len(own) == 25

    def test_close_delivers_accepted_messages_and_refuses_later_ones(self, make_log):
        log = make_log()
        barrier = threading.Barrier(5)
        accepted: list[int] = []
        delivered: list[int] = []
        log.subscribe(lambda batch: delivered.extend(entry.id for entry in batch))

        def write(_: int) -> None:
            barrier.wait()
            with suppress(Unavailable):
                while True:
                    accepted.append(log.append(Draft("lobby", "Ann", "x")).id)

        def close(_: int) -> None:
            barrier.wait()
            while len(delivered) < 20:
                time.sleep(0.001)
            log.close()

        in_threads(lambda n: close(n) if n == 4 else write(n), 5)
        assert sorted(accepted) == delivered == list(range(1, len(delivered) + 1))
        with pytest.raises(Unavailable):
            log.append(Draft("lobby", "Ann", "x"))
        assert not log.available()

    def test_concurrent_appends_of_one_key_make_one_entry(self, log):
        barrier = threading.Barrier(8)
        entries = []

        def write(_: int) -> None:
            for n in range(20):
                barrier.wait()
                entries.append((n, log.append(Draft("lobby", "Ann", "x", f"key-{n:04}")).id))

        in_threads(write, 8)
        assert len(set(entries)) == 20

    def test_each_log_has_its_own_epoch(self, make_log):
        assert make_log().epoch != make_log().epoch
