"""Held names (docs/wire.md), without sockets."""

from __future__ import annotations

import threading

import pytest
from msgspec import UNSET, structs
from support.chat import ChatHarness

from chatapp.chat.client import DisconnectReason
from chatapp.errors import NameTaken, Unavailable


class Kept:
    """Keeps holds as a durable store does (usernames.Holds)."""

    def __init__(self) -> None:
        self.kept = {}
        self.steps = 0
        self.refuses = False
        self.gate = None
        self.reached = threading.Event()

    def holds(self):
        return list(self.kept.values())

    def keep_hold(self, hold, instead_of) -> None:
        if self.gate:
            self.reached.set()
            self.gate.wait(5)
        if self.refuses:
            raise Unavailable
        self.steps += 1
        for old in instead_of:
            del self.kept[old.folded]
        if hold:
            self.kept[hold.folded] = hold


def news(person) -> list[tuple]:
    found = [said for said in person.heard if said[0].startswith("user") and said[0] != "userSet"]
    person.heard.clear()
    return found


def test_token_is_returned_only_for_a_name_to_be_held(room):
    assert room.connects().sets("Ann").token is UNSET
    token = room.connects().sets("Bo", hold=True).token
    assert len(token) == 22
    assert room.connects().sets("Cy", hold=True).token != token


def test_held_name_is_reclaimed_without_an_announcement(room):
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    news(watcher)
    ann.breaks_off()
    assert watcher.joins().users == ["Ann", "Watcher"]
    with pytest.raises(NameTaken):
        watcher.sets("ann")
    room.wait(29)
    back = room.connects("Ann", token=ann.token, hold=True)
    assert back.token == ann.token
    room.wait(60)
    assert watcher.joins().users == ["Ann", "Watcher"]
    assert news(watcher) == []


def test_held_name_is_held_for_its_look_alikes_too(room):
    ann = room.connects("\u039dina", hold=True)
    ann.breaks_off()
    for name in ("Nina", "Vina", "\u03bdina"):
        assert room.connects().tries(name) == "name_taken"
    assert room.connects().tries("Nina", token=ann.token) == "name_taken"
    room.wait(31)
    room.connects("Nina")
    room.connects("Vina")


def test_hold_expires(room):
    watcher, ann = room.connects(), room.connects("Ann", hold=True)
    news(watcher)
    ann.breaks_off()
    room.wait(30)
    assert news(watcher) == [("userLeft", {"room": "lobby", "user": "Ann"})]
    late = room.connects("Ann", token=ann.token, hold=True)
    assert late.token != ann.token


def test_clean_disconnect_releases_a_name_to_be_held(room):
    watcher, ann = room.connects(), room.connects("Ann", hold=True)
    news(watcher)
    ann.goes()
    assert news(watcher) == [("userLeft", {"room": "lobby", "user": "Ann"})]
    room.connects("Ann")


def test_name_without_hold_is_released_when_the_connection_is_lost(room):
    room.connects("Ann").breaks_off()
    room.connects("Ann")


def test_last_request_for_a_name_decides_whether_it_is_held(room):
    ann = room.connects("Ann", hold=True)
    token = ann.token
    ann.sets("Ann")
    ann.breaks_off()
    bo = room.connects("Ann")
    with pytest.raises(NameTaken):
        room.connects("Ann", token=token)
    bo.sets("Ann", hold=True)
    bo.breaks_off()
    with pytest.raises(NameTaken):
        room.connects("Ann")


def test_token_takes_a_name_over_from_a_connected_client(room):
    watcher, ann = room.connects(), room.connects("Ann", hold=True)
    news(watcher)
    again = room.connects("Ann", token=ann.token, hold=True)
    assert ann.heard[-1] == ("refused", "setUsername", "taken_over")
    assert room.closed == [ann.id]
    assert again.heard[0] == ("userSet", "Ann")
    assert news(watcher) == []
    ann.ends(DisconnectReason.CONNECTION_LOST)
    assert room.names() == ["Ann"]
    assert again.says("mine").ok
    room.wait(60)
    assert watcher.joins().users == ["Ann"]


@pytest.mark.parametrize("is_back", [False, True])
def test_name_taken_over_stays_listed_in_its_rooms(room, is_back):
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    for person in (watcher, ann):
        person.joins("tea")
    again = room.connects("Ann", token=ann.token, hold=True)
    ann.breaks_off()
    if is_back:
        assert again.joins("tea").users == ["Ann", "Watcher"]
    news(watcher)
    room.wait(29)
    assert watcher.joins("tea").users == ["Ann", "Watcher"]
    room.wait(1)
    left = [] if is_back else [("userLeft", {"room": "tea", "user": "Ann"})]
    assert news(watcher) == left
    assert watcher.joins().users == ["Ann", "Watcher"]


@pytest.mark.parametrize("token", ["", "x", "é", "AAAAAAAAAAAAAAAAAAAAAA"])
def test_wrong_token_is_ignored(room, token):
    room.connects("Ann", hold=True)
    with pytest.raises(NameTaken):
        room.connects("Ann", token=token)
    assert room.connects("Bo", token=token).token is UNSET


def test_token_of_another_name_is_ignored(room):
    ann, _ = room.connects("Ann", hold=True), room.connects("Bo", hold=True)
    with pytest.raises(NameTaken):
        room.connects("Bo", token=ann.token)


def test_name_without_hold_accepts_no_token(room):
    room.connects("Ann")
    with pytest.raises(NameTaken):
        room.connects("Ann", token="")


def test_held_name_stays_listed_in_all_its_rooms(room):
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    for person in (watcher, ann):
        person.joins("tea")
        person.joins("cake")
    news(watcher)
    ann.breaks_off()
    back = room.connects("Ann", token=ann.token, hold=True)
    joined = back.joins("tea")
    assert joined.users == ["Ann", "Watcher"]
    assert news(watcher) == []
    room.wait(30)
    assert news(watcher) == [("userLeft", {"room": "cake", "user": "Ann"})]
    assert watcher.joins("tea").users == ["Ann", "Watcher"]


def test_each_lost_connection_starts_a_new_hold(room):
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    news(watcher)
    ann.breaks_off()
    room.wait(20)
    back = room.connects("Ann", token=ann.token, hold=True)
    back.breaks_off()
    room.wait(20)
    assert watcher.joins().users == ["Ann", "Watcher"]
    room.wait(10)
    assert watcher.joins().users == ["Watcher"]


def test_held_name_in_another_spelling_is_a_rename(room):
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    news(watcher)
    ann.breaks_off()
    room.connects("ANN", token=ann.token)
    assert news(watcher) == [("userRenamed", {"room": "lobby", "from": "Ann", "to": "ANN"})]
    room.wait(60)
    assert watcher.joins().users == ["ANN", "Watcher"]


def test_reclaiming_a_held_name_releases_the_present_one(room):
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    ann.joins("tea")
    watcher.joins("tea")
    ann.breaks_off()
    bo = room.connects("Bo")
    news(watcher)
    bo.sets("Ann", token=ann.token)
    assert news(watcher) == [("userLeft", {"room": "lobby", "user": "Bo"})]
    room.wait(60)
    assert news(watcher) == [("userLeft", {"room": "tea", "user": "Ann"})]
    assert room.names() == ["Ann", "Watcher"]


def test_new_name_is_held_instead_of_the_first(room):
    ann = room.connects("Ann", hold=True)
    first = ann.token
    ann.sets("Anna", hold=True)
    ann.breaks_off()
    room.connects("Ann")
    with pytest.raises(NameTaken):
        room.connects("Anna", token=first)
    room.connects("Anna", token=ann.token)


def test_held_names_survive_a_restart():
    kept = Kept()
    first = ChatHarness(kept)
    ann = first.connects("Ann", hold=True)
    ann.joins("tea")
    first.connects("Bo").joins("tea")
    again = ChatHarness(kept, name_hold=30)
    watcher = again.connects("Watcher")
    assert watcher.joins().users == ["Ann", "Watcher"]
    assert watcher.joins("tea").users == ["Ann", "Watcher"]
    news(watcher)
    with pytest.raises(NameTaken):
        again.connects("Ann")
    back = again.connects("Ann", token=ann.token, hold=True)
    back.joins("tea")
    again.audience.wait(60)
    assert news(watcher) == []


def test_hold_stored_under_a_key_of_an_earlier_version_is_reclaimed():
    kept = Kept()
    token = ChatHarness(kept).connects("Вob", hold=True).token
    hold = kept.kept.pop("ʙob")
    kept.kept["old key"] = structs.replace(hold, folded="old key")
    again = ChatHarness(kept)
    for name in ("Вob", "Bob"):
        with pytest.raises(NameTaken):
            again.connects(name)
    assert kept.kept == {"ʙob": hold}
    back = again.connects("Вob", token=token, hold=True)
    assert back.token == token
    back.goes()
    assert kept.kept == {}
    again.connects("Bob")


def test_names_that_look_alike_but_were_held_before_are_both_reclaimed():
    """Earlier versions gave them to two clients."""
    kept, other = Kept(), Kept()
    tokens = {
        "Вob": ChatHarness(kept).connects("Вob", hold=True).token,
        "Bob": ChatHarness(other).connects("Bob", hold=True).token,
    }
    kept.kept |= other.kept
    again = ChatHarness(kept)
    for name, token in tokens.items():
        assert again.connects(name, token=token, hold=True).token == token
    with pytest.raises(NameTaken):
        again.connects("ВOB")


def test_name_held_since_the_start_expires():
    kept = Kept()
    ChatHarness(kept).connects("Ann", hold=True)
    again = ChatHarness(kept, name_hold=30)
    watcher = again.connects("Watcher")
    news(watcher)
    again.audience.wait(30)
    assert news(watcher) == [("userLeft", {"room": "lobby", "user": "Ann"})]
    assert kept.kept == {}


def test_name_held_since_the_start_expires_although_too_long_now():
    kept = Kept()
    ChatHarness(kept).connects("A name of old", hold=True)
    again = ChatHarness(kept, max_name_chars=5)
    again.connects()
    again.audience.wait(30)
    assert again.connects().joins().users == []
    assert kept.kept == {}


def test_names_without_hold_are_not_stored():
    kept = Kept()
    room = ChatHarness(kept)
    room.connects("Ann")
    bo = room.connects("Bo", hold=True)
    assert [hold.user for hold in kept.kept.values()] == ["Bo"]
    assert bo.token.encode() not in kept.kept["bo"].token
    bo.sets("Bo")
    assert kept.kept == {}


def test_claim_whose_hold_cannot_be_stored_changes_nothing():
    kept = Kept()
    room = ChatHarness(kept)
    watcher, ann = room.connects(), room.connects("Ann", hold=True)
    news(watcher)
    kept.refuses = True
    with pytest.raises(Unavailable):
        ann.sets("Anna", hold=True)
    assert room.names() == ["Ann"]
    assert ann.says("still Ann").ok
    assert news(watcher) == []
    ann.goes()
    assert room.names() == []


def test_rooms_are_joined_and_left_although_they_cannot_be_stored():
    kept = Kept()
    room = ChatHarness(kept)
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    for each in ("tea", "cake"):
        watcher.joins(each)
    ann.joins("cake")
    kept.refuses = True
    assert ann.joins("tea").users == ["Ann", "Watcher"]
    assert ann.leaves("cake").ok
    assert kept.kept["ann"].rooms == ("cake",)
    kept.refuses = False
    ann.joins("jam")
    assert kept.kept["ann"].rooms == ("jam", "tea")


def test_name_and_its_rooms_are_stored_in_one_step():
    kept = Kept()
    room = ChatHarness(kept)
    ann = room.connects("Ann")
    ann.joins("tea")
    ann.sets("Ann", hold=True)
    ann.sets("Anna", hold=True)
    assert {hold.user: hold.rooms for hold in kept.kept.values()} == {"Anna": ("tea",)}
    assert kept.steps == 2


def test_absences_end_independently():
    kept = Kept()
    room = ChatHarness(kept, name_hold=30)
    watcher, ann = room.connects("Watcher"), room.connects("Ann", hold=True)
    for person in (watcher, ann):
        person.joins("tea")
    ann.breaks_off()
    news(watcher)
    for _ in range(3):  # back each time, but never in tea
        room.wait(9)
        room.connects("Ann", token=ann.token, hold=True).breaks_off()
    assert kept.kept["ann"].rooms == ("tea",)
    back = room.connects("Ann", token=ann.token, hold=True)
    room.wait(3)
    assert news(watcher) == [("userLeft", {"room": "tea", "user": "Ann"})]
    assert kept.kept["ann"].rooms == ()
    back.breaks_off()
    room.wait(29)
    assert watcher.joins().users == ["Ann", "Watcher"]


def test_reclaimed_name_is_not_held_by_a_late_restore():
    kept = Kept()
    ChatHarness(kept).connects("Ann", hold=True)
    token = "x"
    room = ChatHarness(kept, name_hold=30)
    room.chat._is_open = True  # as if the log could not be opened when the first one came
    ann = room.connects("Ann", token=token)
    room.chat._is_open = False
    watcher = room.connects("Watcher")
    room.wait(60)
    assert watcher.joins().users == ["Ann", "Watcher"]
    assert ann.says("here").ok


def test_slow_disk_blocks_only_claims_of_the_same_name():
    kept = Kept()
    room = ChatHarness(kept)
    plain = room.connects("Plain")
    kept.gate = threading.Event()
    slow = threading.Thread(target=room.connects, args=("Slow",), kwargs={"hold": True})
    slow.start()
    kept.reached.wait(5)
    room.connects("Other")
    plain.goes()
    second = threading.Thread(target=lambda: outcomes.append(room.connects().tries("slow")))
    outcomes = []
    second.start()
    assert room.names() == ["Other"]
    kept.gate.set()
    slow.join()
    second.join()
    assert outcomes == ["name_taken"]
    assert room.names() == ["Other", "Slow"]


@pytest.mark.parametrize("hold", [False, True])
def test_concurrent_disconnect_and_claim_leave_one_holder(hold):
    """Of one who goes and one who wants the name, in two threads, never both lose it."""
    for _ in range(100):
        room = ChatHarness(name_hold=0.5)
        watcher, ann, other = room.connects("Watcher"), room.connects("Ann", hold=hold), None
        watcher.joins("tea")
        ann.joins("tea")
        other = room.connects()
        end = threading.Thread(target=ann.breaks_off if hold else ann.goes)
        end.start()
        while other.tries("Ann", token=ann.token if hold else "", hold=hold):
            pass
        other.joins("tea")
        end.join()
        room.wait(60)
        assert watcher.joins().users == watcher.joins("tea").users == ["Ann", "Watcher"]
