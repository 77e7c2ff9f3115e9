"""The rules, without sockets."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from support.chat import ChatHarness

from chatapp.chat import wire
from chatapp.errors import (
    MessageEmpty,
    MessageTooLong,
    NameInvalid,
    NameRequired,
    NameTaken,
    NotInRoom,
    RateLimited,
    RoomInvalid,
    Unavailable,
)
from chatapp.limits import Rate


def test_set_name_is_announced_to_the_others(room):
    watcher, ann = room.connects(), room.connects()
    assert ann.sets(" Ann ") == wire.NameSet(user="Ann")
    assert ann.heard == [("userSet", "Ann")]
    assert watcher.heard == [("userJoined", {"room": "lobby", "user": "Ann"})]


def test_user_set_is_the_first_event_its_client_receives(room):
    ann = room.connects()
    ann.sets("Ann")
    ann.sets("Anna")
    assert ann.heard == [("userSet", "Ann"), ("userSet", "Anna")]


def test_second_name_is_a_rename_and_releases_the_first(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.heard.clear()
    ann.sets("Anna")
    assert bo.heard == [("userRenamed", {"room": "lobby", "from": "Ann", "to": "Anna"})]
    bo.sets("Ann")


def test_setting_the_same_name_again_is_not_announced(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.heard.clear()
    assert ann.sets("Ann").user == "Ann"
    assert bo.heard == []


def test_new_spelling_of_a_name_is_a_rename(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.heard.clear()
    assert ann.sets("ANN").user == "ANN"
    assert bo.heard == [("userRenamed", {"room": "lobby", "from": "Ann", "to": "ANN"})]


def test_refused_name_changes_nothing(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.sets("Bo")
    with pytest.raises(NameTaken):
        bo.sets("ann")
    assert room.names() == ["Ann", "Bo"]
    assert bo.says("still Bo").ok


@pytest.mark.parametrize("length", [33, 256, 257, 5000])
def test_refusal_of_a_long_name_states_the_bound(room, length):
    with pytest.raises(NameInvalid, match="too long: 32 characters are allowed"):
        room.connects("x" * length)


def test_message_is_sent_to_all_including_its_sender(room):
    ann, watcher = room.connects(), room.connects()
    ann.sets("Ann")
    watcher.heard.clear()
    said = ann.says("hi", key="key-0001")
    first, second = {"user": "Ann", "message": "hi"}, {"room": "lobby", "id": 1, "at": said.at}
    assert ann.heard[-1] == watcher.heard[-1] == ("newmsg", first, second | {"key": "key-0001"})
    assert (said.room, said.id) == ("lobby", 1)


def test_message_without_a_name_is_refused(room):
    with pytest.raises(NameRequired):
        room.connects().says("hi", room="???")


def test_message_to_a_room_not_joined_is_refused(room):
    ann = room.connects()
    ann.sets("Ann")
    for name in ("", "a b", "x" * 65, "ä", "a\n"):
        with pytest.raises(RoomInvalid):
            ann.says("hi", room=name)
    with pytest.raises(NotInRoom):
        ann.says("hi", room="Tea")
    assert ann.says("hi", room="LOBBY").room == "lobby"


def test_message_without_visible_characters_is_refused(room):
    ann = room.connects()
    ann.sets("Ann")
    for message in ("", " ", "\n\t", "\u200b", "\u2800", "\u3164", "\u0301"):
        with pytest.raises(MessageEmpty):
            ann.says(message)
    assert ann.says(" x\n").id == 1


def test_message_length_is_counted_in_code_points():
    ann = ChatHarness(max_message_chars=3).connects()
    ann.sets("Ann")
    assert ann.says("😀😀😀").ok
    with pytest.raises(MessageTooLong, match="4 characters; 3 are allowed"):
        ann.says("abcd")


def test_repeated_key_appends_nothing_for_any_text(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    first = ann.says("hi", key="key-0001")
    bo.heard.clear()
    assert ann.says("", key="key-0001") == first
    assert bo.heard == []
    ann.goes()
    bo.sets("ANN")
    assert bo.says("other", key="key-0001") == first


def test_key_is_known_while_its_first_message_waits_for_the_log(room, monkeypatch):
    ann = room.connects("Ann")
    append, gate, reached = ann.node.log.append, threading.Event(), threading.Event()

    def append_slowly(draft):
        reached.set()
        gate.wait(5)
        return append(draft)

    monkeypatch.setattr(ann.node.log, "waits", True)
    monkeypatch.setattr(ann.node.log, "append", append_slowly)
    answers = []

    def says(message):
        answers.append(ann.says(message, key="key-0001"))

    first, second = (threading.Thread(target=says, args=(text,)) for text in ("hi", ""))
    first.start()
    reached.wait(5)
    second.start()
    second.join(0.1)
    gate.set()
    first.join()
    second.join()
    assert answers[0].id == 1
    assert answers == answers[:1] * 2


def test_keys_of_different_names_are_independent(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.sets("Bo")
    assert ann.says("hi", key="key-0001").id == 1
    assert bo.says("hi", key="key-0001").id == 2


def test_clean_disconnect_releases_the_name_and_is_announced(room):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.heard.clear()
    ann.goes()
    assert bo.heard == [("userLeft", {"room": "lobby", "user": "Ann"})]
    bo.sets("ann")


def test_disconnect_during_an_event_releases_the_name_after_it(room):
    ann = room.connects()

    def leaves_and_claims() -> None:
        ann.goes()
        ann.sets("Ann")

    ann.node.chat.run(ann.client, leaves_and_claims)
    assert room.names() == []
    assert room.connects().joins().users == []


def test_join_returns_the_members_and_messages_of_a_room(room):
    ann, watcher = room.connects(), room.connects()
    ann.sets("Ann")
    for n in range(3):
        ann.says(str(n))
    joined = watcher.joins(limit=2, room="Lobby")
    assert (joined.room, joined.epoch) == ("lobby", ann.node.log.epoch)
    assert (joined.count, joined.users, joined.more) == (1, ["Ann"], True)
    assert [(said["message"], number["id"]) for said, number in joined.messages] == [
        ("1", 2),
        ("2", 3),
    ]


def test_message_during_a_store_failure_is_refused_and_not_sent(room, monkeypatch):
    ann, bo = room.connects(), room.connects()
    ann.sets("Ann")
    bo.heard.clear()

    def away(draft):
        raise Unavailable

    monkeypatch.setattr(ann.node.log, "append", away)
    with pytest.raises(Unavailable):
        ann.says("hi")
    assert bo.heard == []
    monkeypatch.undo()
    assert ann.says("hi").id == 1


def test_messages_and_names_have_separate_rates():
    ann = ChatHarness(message_limit=Rate(1, 10), name_limit=Rate(2, 60)).connects()
    ann.sets("Ann")
    ann.says("one")
    with pytest.raises(RateLimited):
        ann.says("two")
    ann.sets("Anna")
    with pytest.raises(RateLimited):
        ann.sets("Annie")


def test_message_rate_is_checked_after_the_room_and_before_the_text():
    ann = ChatHarness(message_limit=Rate(1, 10)).connects()
    ann.sets("Ann")
    ann.says("one")
    with pytest.raises(RateLimited):
        ann.says("")
    with pytest.raises(NotInRoom):
        ann.says("", room="tea")


@pytest.mark.parametrize("name", ["", "x" * 300, "\u200b", "Bo"])
def test_name_rate_is_checked_before_the_name(name):
    room = ChatHarness(name_limit=Rate(1, 60))
    room.connects("Bo")
    ann = room.connects("Ann")
    assert ann.tries(name) == "rate_limited"


def test_client_at_twice_its_event_rate_is_closed():
    room = ChatHarness(event_limit=Rate(3, 60))
    ann = room.connects()
    taken: list[int] = []
    for n in range(6):
        with suppress(RateLimited):
            room.chat.run(ann.client, lambda n=n: taken.append(n))
    assert (taken, room.audience.closed) == ([0, 1, 2], [])
    with pytest.raises(RateLimited):
        room.chat.run(ann.client, lambda: taken.append(6))
    assert len(taken) == 3
    assert room.audience.closed == [ann.id]
