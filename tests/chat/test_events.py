"""The table of the events that clients may send."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.chat import ChatHarness

from chatapp.chat import wire
from chatapp.chat.rules import EVENTS
from chatapp.errors import NameRequired, RateLimited
from chatapp.limits import Rate

WIRE = Path(__file__).parents[2] / "docs" / "wire.md"


def test_every_event_is_documented_and_none_besides():
    section = re.search(r"^## Client to server\n(.*?)^## ", WIRE.read_text(), re.M | re.S)[1]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(EVENTS)


def test_every_request_has_a_row():
    assert {event.request for event in EVENTS.values()} == set(wire.Request.__subclasses__())


def test_refused_sender_takes_no_token_of_the_event():
    room = ChatHarness(message_limit=Rate(1, 10))
    ann = room.connects()
    for _ in range(2):
        with pytest.raises(NameRequired):
            ann.says("hi")
    ann.sets("Ann")
    assert ann.says("hi").id == 1


def test_buckets_go_on_when_a_client_comes_back():
    room = ChatHarness(message_limit=Rate(1, 10), event_limit=Rate(3, 10))
    ann, again = room.connects("Ann"), room.connects("Anna")
    ann.says("hi")
    again.client.resume(ann.client)
    with pytest.raises(RateLimited):
        again.says("hi")
