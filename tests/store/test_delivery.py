"""Entries of a room are delivered once and in order, in whatever order they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatapp.chat.log import Entry
from chatapp.errors import Unavailable
from chatapp.store.redis.delivery import OrderedDelivery


class Node:
    """A log that has each number, except for the first `gone` ones, which have expired."""

    def __init__(self, gone: int = 0) -> None:
        self.gone = gone
        self.delivered: list[int] = []
        self.reads = 0
        self.delivery = OrderedDelivery(
            self.read, lambda batch: self.delivered.extend(entry.id for entry in batch)
        )

    def read(self, room: str, since: int, until: int) -> list[Entry]:
        self.reads += 1
        return [entry(n, room) for n in range(max(since, self.gone) + 1, until + 1)]


def entry(number: int, room: str = "tea") -> Entry:
    return Entry(room, number, 0, "Ann", "x")


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans())), st.integers(0, 20))
def test_each_entry_is_delivered_once_and_in_order(steps, newest):
    node = Node()
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", newest)
    for number, is_entry in steps:
        if is_entry:
            node.delivery.on_entry(entry(number))
        else:
            node.delivery.catch_up_to("tea", number)
    last = max([newest, *(number for number, _ in steps)])
    assert node.delivered == list(range(newest + 1, last + 1))


def test_entries_in_order_need_no_read():
    node = Node()
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", 0)
    for number in range(1, 10):
        node.delivery.on_entry(entry(number))
    assert (node.delivered, node.reads) == (list(range(1, 10)), 0)


def test_expired_entries_are_skipped():
    node = Node(gone=5)
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", 0)
    node.delivery.on_entry(entry(8))
    node.delivery.catch_up_to("tea", 3)
    node.delivery.on_entry(entry(9))
    assert node.delivered == [6, 7, 8, 9]


def test_room_that_was_not_started_delivers_only_local_entries():
    node = Node()
    node.delivery.on_entry(entry(1))
    node.delivery.catch_up_to("tea", 5)
    node.delivery.on_local([entry(6)])
    assert node.delivered == [6]


def test_room_started_again_begins_at_its_newest():
    node = Node()
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", 0)
    node.delivery.stop("tea")
    node.delivery.on_entry(entry(1))
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", 7)
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", 9)
    assert node.delivered == [8, 9]


def test_room_begins_with_the_first_entry_that_arrives():
    node = Node()
    node.delivery.start("tea")
    node.delivery.on_local([entry(5)])
    node.delivery.catch_up_to("tea", 4)
    node.delivery.on_entry(entry(5))
    node.delivery.catch_up_to("tea", 6)
    assert node.delivered == [5, 6]


def test_unreadable_gap_is_delivered_later_and_reported():
    node = Node()
    node.delivery.start("tea")
    node.delivery.catch_up_to("tea", 1)
    read, node.delivery._read = node.delivery._read, unavailable
    assert node.delivery.on_local([entry(3), entry(1, "cake")]) == [entry(3)]
    assert node.delivered == [1]
    node.delivery._read = read
    node.delivery.catch_up_to("tea", 3)
    assert node.delivered == [1, 2, 3]


def unavailable(room: str, since: int, until: int) -> list[Entry]:
    raise Unavailable
