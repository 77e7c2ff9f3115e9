"""Rooms, history and typing, without sockets."""

from __future__ import annotations

import pytest

from chatapp.chat import rules
from chatapp.chat.people.crowd import MAX_LISTED
from chatapp.errors import NameRequired, NotInRoom, RoomInvalid, TooManyRooms, Unavailable


def news(person) -> list[tuple]:
    """What a person has heard of others' coming and going since the last time."""
    found = [said for said in person.heard if said[0].startswith("user") and said[0] != "userSet"]
    person.heard.clear()
    return found


def test_join_is_announced_in_the_joined_room_only(room):
    ann, bo, cy = (room.connects(name) for name in ("Ann", "Bo", "Cy"))
    ann.joins("Tea")
    for person in (ann, bo, cy):
        person.heard.clear()
    joined = bo.joins("TEA")
    assert (joined.room, joined.count, joined.users) == ("tea", 2, ["Ann", "Bo"])
    assert news(ann) == [("userJoined", {"room": "tea", "user": "Bo"})]
    said = bo.says("hi", room="tea")
    assert said.id == 1
    assert [heard[0] for heard in ann.heard] == [heard[0] for heard in bo.heard] == ["newmsg"]
    assert cy.heard == []


def test_second_join_is_not_announced_and_returns_the_same(room):
    ann, bo = room.connects("Ann"), room.connects("Bo")
    ann.joins("tea")
    first = bo.joins("tea")
    news(ann)
    assert bo.joins("tea") == first
    assert news(ann) == []


def test_rooms_are_numbered_independently(room):
    ann = room.connects("Ann")
    ann.joins("tea")
    assert [ann.says("x", room=name).id for name in ("lobby", "tea", "tea", "lobby")] == [
        1,
        1,
        2,
        2,
    ]


def test_client_that_left_a_room_receives_nothing_from_it(room):
    ann, bo = room.connects("Ann"), room.connects("Bo")
    ann.joins("tea")
    bo.joins("tea")
    news(ann)
    assert bo.leaves("Tea").room == "tea"
    assert news(ann) == [("userLeft", {"room": "tea", "user": "Bo"})]
    bo.heard.clear()
    ann.says("hi", room="tea")
    assert bo.heard == []
    with pytest.raises(NotInRoom):
        bo.says("hi", room="tea")
    with pytest.raises(NotInRoom):
        bo.leaves("tea")


def test_disconnected_client_leaves_all_its_rooms(room):
    ann, bo = room.connects("Ann"), room.connects("Bo")
    ann.joins("tea")
    bo.joins("tea")
    news(ann)
    bo.goes()
    left = [("userLeft", {"room": name, "user": "Bo"}) for name in ("lobby", "tea")]
    assert news(ann) == left


def test_rename_is_announced_in_each_room(room):
    ann, bo, cy = (room.connects(name) for name in ("Ann", "Bo", "Cy"))
    for person in (ann, bo):
        person.joins("tea")
    for person in (ann, cy):
        news(person)
    bo.sets("Bob")
    renamed = [("userRenamed", {"room": r, "from": "Bo", "to": "Bob"}) for r in ("lobby", "tea")]
    assert news(ann) == renamed
    assert news(cy) == renamed[:1]


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "ä", "a/b", "a\n", "\u212a", "../x"])
def test_bad_room_name_is_refused(room, name):
    ann = room.connects("Ann")
    for does in (ann.joins, ann.leaves, ann.reads, ann.types):
        with pytest.raises(RoomInvalid):
            does(name)


def test_rooms_other_than_the_lobby_need_a_name(room):
    nobody = room.connects()
    for does in (nobody.joins, nobody.leaves, nobody.reads, nobody.types):
        with pytest.raises(NameRequired):
            does("???")
    with pytest.raises(NameRequired):
        nobody.types()
    with pytest.raises(RoomInvalid):
        nobody.leaves("lobby")
    assert nobody.joins().users == []
    assert nobody.reads().messages == []


def test_the_lobby_cannot_be_left(room):
    ann = room.connects("Ann")
    with pytest.raises(RoomInvalid, match="lobby can't be left"):
        ann.leaves("Lobby")


def test_join_over_the_bound_of_rooms_is_refused(room, monkeypatch):
    monkeypatch.setattr(rules, "MAX_ROOMS", 3)
    ann = room.connects("Ann")
    ann.joins("a")
    ann.joins("b")
    with pytest.raises(TooManyRooms, match="in 3 rooms"):
        ann.joins("c")
    ann.joins("b")
    ann.leaves("a")
    ann.joins("c")


def test_join_refused_by_the_log_changes_nothing(room, monkeypatch):
    ann, bo = room.connects("Ann"), room.connects("Bo")
    ann.joins("tea")
    news(ann)

    def refuse(*_, **__):
        raise Unavailable

    monkeypatch.setattr(bo.node.log, "read", refuse)
    with pytest.raises(Unavailable):
        bo.joins("tea")
    assert news(ann) == []
    with pytest.raises(NotInRoom):
        bo.says("hi", room="tea")


def test_client_enters_a_room_before_its_log_is_read(room, monkeypatch):
    ann, bo = room.connects("Ann"), room.connects("Bo")
    ann.joins("tea")
    read = bo.node.log.read

    def say_and_read(*arguments, **options):
        ann.says("between", room="tea")
        return read(*arguments, **options)

    monkeypatch.setattr(bo.node.log, "read", say_and_read)
    joined = bo.joins("tea")
    heard = [said[1:] for said in bo.heard if said[0] == "newmsg"]
    assert heard == joined.messages
    assert len(heard) == 1


def test_join_with_since_returns_missed_messages(room):
    ann = room.connects("Ann")
    for n in range(5):
        ann.says(str(n))
    joined = ann.joins(since=2, limit=2)
    assert [number["id"] for _, number in joined.messages] == [3, 4]
    assert joined.more


@pytest.mark.parametrize(
    ("asked", "ids", "more"),
    [
        ({}, [1, 2, 3, 4, 5], False),
        ({"limit": 2}, [4, 5], True),
        ({"since": 3}, [4, 5], False),
        ({"before": 3}, [1, 2], False),
        ({"before": 5, "limit": 2}, [3, 4], True),
        ({"since": 99}, [], False),
    ],
)
def test_history_returns_pages(room, asked, ids, more):
    ann = room.connects("Ann")
    for n in range(5):
        ann.says(str(n))
    read = ann.reads(**asked)
    assert ([number["id"] for _, number in read.messages], read.more) == (ids, more)
    assert (read.room, read.epoch) == ("lobby", ann.node.log.epoch)


def test_history_of_a_room_not_joined_is_refused(room):
    with pytest.raises(NotInRoom):
        room.connects("Ann").reads("tea")


def test_typing_is_sent_to_the_others_in_the_room_only(room):
    ann, bo, cy, dee = people = [room.connects(name) for name in ("Ann", "Bo", "Cy", "Dee")]
    for person in (ann, bo, dee):
        person.joins("tea")
    for person in people:
        person.heard.clear()
    assert bo.types("tea").ok
    assert ann.heard == dee.heard == [("userTyping", {"room": "tea", "user": "Bo"})]
    assert bo.heard == cy.heard == []


def test_typing_is_not_sent_in_a_crowd(room):
    ann, bo, *_ = [room.connects(f"user{n:04}") for n in range(MAX_LISTED)]
    ann.heard.clear()
    assert bo.types().ok
    assert ann.heard == [("userTyping", {"room": "lobby", "user": "user0001"})]
    one_more = room.connects("one more")
    for person in (bo, one_more):
        assert person.types().ok
    assert [said[0] for said in ann.heard] == ["userTyping", "presence"]
