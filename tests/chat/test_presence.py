"""Presence: the names in each room, and their announcements in small and large rooms."""

from __future__ import annotations

import pytest
from support.chat import Audience

from chatapp.chat.people.crowd import MAX_LISTED, Announcer
from chatapp.chat.people.presence import Presence


@pytest.fixture
def audience():
    audience = Audience()
    audience.heard = {"watcher": []}
    audience.enter("watcher", "lobby")
    return audience


@pytest.fixture
def presence(audience):
    return Presence(
        Announcer(audience.broadcast, audience.call_later, interval=1.0, clock=audience.clock)
    )


def crowd(presence: Presence, count: int) -> None:
    for n in range(count):
        presence.enter("lobby", f"user{n:04}", f"c{n}")


def test_names_are_sorted_without_case(presence):
    for name in ("bo", "Ann", "Cy"):
        presence.enter("lobby", name, name)
    assert presence.users("lobby") == (3, ["Ann", "bo", "Cy"])
    assert presence.users("empty") == (0, [])


def test_joining_renaming_and_leaving_are_announced(presence, audience):
    presence.enter("lobby", "Ann", "a")
    presence.rename("Ann", "Anna", "a")
    presence.leave_all("Anna", "a")
    assert audience.heard["watcher"] == [
        ("userJoined", {"room": "lobby", "user": "Ann"}),
        ("userRenamed", {"room": "lobby", "from": "Ann", "to": "Anna"}),
        ("userLeft", {"room": "lobby", "user": "Anna"}),
    ]


def test_client_is_not_told_of_its_own_changes(presence, audience):
    presence.enter("lobby", "Ann", "watcher")
    presence.rename("Ann", "Bo", "watcher")
    presence.leave_all("Bo", "watcher")
    assert audience.heard["watcher"] == []


def test_leave_all_removes_a_name_from_all_rooms(presence):
    presence.enter("lobby", "Ann", "a")
    presence.enter("tea", "Ann", "a")
    presence.leave_all("Ann", "a")
    assert presence.users("lobby") == presence.users("tea") == (0, [])


def test_second_leave_all_does_nothing(presence, audience):
    presence.enter("lobby", "Ann", "a")
    presence.leave_all("Ann", "a")
    presence.leave_all("Ann", "a")
    assert len(audience.heard["watcher"]) == 2


def test_200th_name_is_announced_and_201st_is_counted(presence, audience):
    crowd(presence, MAX_LISTED)
    assert {event for event, _ in audience.heard["watcher"]} == {"userJoined"}
    assert len(audience.heard["watcher"]) == MAX_LISTED
    presence.enter("lobby", "one more", "x")
    assert audience.heard["watcher"][MAX_LISTED:] == [("presence", {"room": "lobby", "count": 201})]
    assert presence.users("lobby")[0] == 201
    assert len(presence.users("lobby")[1]) == MAX_LISTED


def test_count_is_sent_once_a_second_and_the_last_one_is_correct(presence, audience):
    crowd(presence, MAX_LISTED + 50)
    told = [change["count"] for event, change in audience.heard["watcher"] if event == "presence"]
    assert told == [201]
    audience.wait(0.9)
    assert len(audience.heard["watcher"]) == MAX_LISTED + 1
    audience.wait(0.1)
    assert audience.heard["watcher"][-1] == ("presence", {"room": "lobby", "count": 250})
    audience.wait(10)
    assert len(audience.heard["watcher"]) == MAX_LISTED + 2


@pytest.mark.parametrize(("count", "seconds"), [(2000, 1), (5000, 2.5)])
def test_larger_room_gets_its_count_less_often(audience, count, seconds):
    announcer = Announcer(audience.broadcast, audience.call_later, clock=audience.clock)
    for changed in (count - 1, count):
        announcer.announce("lobby", "userJoined", {}, "a", changed)
    audience.wait(seconds - 0.1)
    assert [change["count"] for _, change in audience.heard["watcher"]] == [count - 1]
    audience.wait(0.2)
    assert [change["count"] for _, change in audience.heard["watcher"]] == [count - 1, count]


def test_room_that_has_shrunk_announces_names_again(presence, audience):
    crowd(presence, MAX_LISTED + 1)
    audience.heard["watcher"].clear()
    presence.leave_all("user0000", "c0")
    assert audience.heard["watcher"] == [("userLeft", {"room": "lobby", "user": "user0000"})]


def test_rename_is_not_announced_in_a_crowd(presence, audience):
    crowd(presence, MAX_LISTED + 1)
    audience.heard["watcher"].clear()
    presence.rename("user0000", "somebody", "c0")
    audience.wait(1)
    assert audience.heard["watcher"] == [("presence", {"room": "lobby", "count": MAX_LISTED + 1})]
    presence.leave_all("somebody", "c0")
    audience.heard["watcher"].clear()
    presence.rename("user0001", "somebody", "c1")
    renamed = {"room": "lobby", "from": "user0001", "to": "somebody"}
    assert audience.heard["watcher"] == [("userRenamed", renamed)]


def test_room_is_a_crowd_from_201_names_on(presence):
    assert not presence.is_large("lobby")
    crowd(presence, MAX_LISTED)
    assert not presence.is_large("lobby")
    presence.enter("lobby", "one more", "x")
    assert presence.is_large("lobby")
    presence.leave_all("one more", "x")
    assert not presence.is_large("lobby")


def test_empty_room_leaves_no_state(presence):
    for n in range(3):
        presence.enter(f"room-{n}", "Ann", "a")
        presence.enter(f"room-{n}", "Bo", "b")
    presence.leave("room-0", "Ann", "a")
    presence.rename("Ann", "Anna", "a")
    presence.leave_all("Anna", "a")
    presence.leave_all("Bo", "b")
    assert (presence._rooms, presence._rooms_of) == ({}, {})


@pytest.mark.parametrize("pause", [0, 5])
def test_empty_large_room_leaves_no_state(presence, audience, pause):
    crowd(presence, MAX_LISTED + 2)
    audience.wait(pause)
    for n in range(MAX_LISTED + 2):
        presence.leave_all(f"user{n:04}", "")
    audience.wait(5)
    assert presence._announcer._counts == {}
