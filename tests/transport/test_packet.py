"""Socket.IO packets, decoded without a connection."""

from __future__ import annotations

import pytest

from chatapp.chat import wire
from chatapp.errors import BadRequest
from chatapp.transport.errors import MalformedPacket
from chatapp.transport.sio.packet import Packet

HUGE = ["9" * 4301, "-" + "9" * 4301, "9" * 60000, "1e999", "1" + "0" * 400 + ".5"]


@pytest.mark.parametrize("number", HUGE, ids=len)
def test_huge_number_is_valid_json_and_no_field_takes_it(number):
    packet = Packet(encoded_packet=f'2["history",{{"since":{number}}}]')
    with pytest.raises(BadRequest, match="since of history should be a whole number"):
        wire.History.parse(packet.data[1:])


@pytest.mark.parametrize("number", ["9" * 4301, "1e999"])
def test_huge_number_may_be_the_name_of_an_event(number):
    """In the reference server it is Infinity, which is a number."""
    assert Packet(encoded_packet=f"2[{number}]").data == [float("inf")]


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_nesting_of_200_is_valid(left, right):
    """docs/wire.md, Bounds."""
    nested = left * 200 + "0" + right * 200
    packet = Packet(encoded_packet=f'2["msg",{{"message":{nested}}}]')
    with pytest.raises(BadRequest, match="message of msg should be a string"):
        wire.Msg.parse(packet.data[1:])


def test_nesting_beyond_pythons_stack_is_malformed():
    with pytest.raises(MalformedPacket):
        Packet(encoded_packet='2["msg",{"message":' + "[" * 30000 + "]" * 30000 + "}]")
