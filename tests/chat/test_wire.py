"""The parser of what clients send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UnsetType

from chatapp.chat import wire
from chatapp.errors import BadRequest

REQUESTS = [wire.SetUsername, wire.Msg, wire.Join, wire.Leave, wire.History, wire.Typing]
any_text = st.text(st.characters(exclude_categories=()))  # unpaired surrogates, too
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
fields = st.dictionaries(
    st.sampled_from(["message", "room", "key", "limit", "since", "before", "token", "hold"])
    | any_text,
    json_values,
)

BAD = [
    (wire.SetUsername, [], "one or two arguments, not 0"),
    (wire.SetUsername, ["a", {}, "b"], "one or two arguments, not 3"),
    (wire.SetUsername, [1], "name of setUsername should be a string"),
    (wire.SetUsername, [None], "name of setUsername should be a string"),
    (wire.SetUsername, [["a"]], "name of setUsername should be a string"),
    (wire.SetUsername, [{"name": "a"}], "name of setUsername should be a string"),
    (wire.SetUsername, ["a", "b"], "second argument of setUsername should be an object"),
    (wire.SetUsername, ["\ud800"], "unpaired surrogate"),
    (wire.SetUsername, [b"a"], "binary"),
    (wire.Msg, [], "one argument, not 0"),
    (wire.Msg, [{"message": "a"}, 1], "one argument, not 2"),
    (wire.Msg, ["a"], "argument of msg should be an object"),
    (wire.Msg, [None], "argument of msg should be an object"),
    (wire.Msg, [[]], "argument of msg should be an object"),
    (wire.Msg, [{}], "message of msg should be a string"),
    (wire.Msg, [{"message": 1}], "message of msg should be a string"),
    (wire.Msg, [{"message": {"a": 1}}], "message of msg should be a string"),
    (wire.Msg, [{"message": "\udfff"}], "message of msg has an unpaired surrogate"),
    (wire.Msg, [{"message": b"a"}], "binary"),
    (wire.Msg, [{"message": "a", "user": [b"a"]}], "binary"),
    (wire.Msg, [{"message": "a", "room": 1}], "room of msg should be a string"),
    (wire.Msg, [{"message": "a", "room": None}], "room of msg should be a string"),
    (wire.Msg, [{"message": "a", "key": "short"}], "key of msg should be 8 to 64"),
    (wire.Msg, [{"message": "a", "key": "x" * 65}], "key of msg should be 8 to 64"),
    (wire.Msg, [{"message": "a", "key": "with space"}], "key of msg should be 8 to 64"),
    (wire.Msg, [{"message": "a", "key": "12345678\n"}], "key of msg should be 8 to 64"),
    (wire.Msg, [{"message": "a", "key": None}], "key of msg should be 8 to 64"),
    (wire.Join, ["lobby"], "argument of join should be an object"),
    (wire.Join, [{}, {}], "one argument, not 2"),
    (wire.Join, [{"room": []}], "room of join should be a string"),
    (wire.Join, [{"limit": 0}], "limit of join should be a whole number from 1 to 200"),
    (wire.Join, [{"limit": 201}], "limit of join should be a whole number from 1 to 200"),
    (wire.Join, [{"limit": True}], "limit of join should be a whole number from 1 to 200"),
    (wire.Join, [{"limit": "5"}], "limit of join should be a whole number from 1 to 200"),
    (wire.Join, [{"limit": 1.5}], "limit of join should be a whole number from 1 to 200"),
    *[
        (request, [{field: value}], rf"{field} of {request.event} should be a whole number from 0")
        for request, field in [
            *[(wire.Join, "since"), (wire.History, "since"), (wire.History, "before")],
        ]
        for value in (-1, 2**53, 10**30, 1.0, 1.5, "1", True, None, [], {})
    ],
    (wire.History, [{"since": 1, "before": 2}], "before of history should be left out"),
    (wire.History, [1], "argument of history should be an object"),
    (wire.Leave, [{"room": None}], "room of leave should be a string"),
    (wire.Typing, [{"room": 5}], "room of typing should be a string"),
    (wire.SetUsername, ["a", {"token": 5}], "token of setUsername should be a string"),
    (wire.SetUsername, ["a", {"token": None}], "token of setUsername should be a string"),
    (wire.SetUsername, ["a", {"token": "\ud800"}], "token of setUsername has an unpaired"),
    (wire.Join, [{"since": "\ud800"}], "since of join has an unpaired"),
    (wire.Msg, [{"message": "a", "key": "\ud800"}], "key of msg has an unpaired"),
    (wire.Msg, [{"\ud800": 1}], "message of msg should be a string"),
    (wire.SetUsername, ["a", {"hold": 1}], "hold of setUsername should be true or false"),
    (wire.SetUsername, ["a", {"hold": "yes"}], "hold of setUsername should be true or false"),
]


@pytest.mark.parametrize(("request_class", "arguments", "sentence"), BAD)
def test_refusal_of_bad_arguments_names_the_field(request_class, arguments, sentence):
    with pytest.raises(BadRequest, match=sentence):
        request_class.parse(arguments)


def test_unknown_fields_are_ignored():
    assert wire.Msg.parse([{"message": "a", "user": 7, "x": None}]) == wire.Msg("a")
    assert wire.Join.parse([{"before": "x", "hold": 1}]) == wire.Join()
    assert wire.SetUsername.parse(["a", {"room": 5, "name": "b"}]) == wire.SetUsername("a")
    odd = {"\ud800": "\udfff", "": 1, "messag\u00e9": {"\ud800": 1}}
    assert wire.Msg.parse([{"message": "a", **odd}]) == wire.Msg("a")
    assert wire.Join.parse([odd]) == wire.Join()
    assert wire.SetUsername.parse(["a", odd]) == wire.SetUsername("a")


def test_argument_with_only_optional_fields_may_be_left_out():
    assert wire.Join.parse([]) == wire.Join(room="lobby", limit=50)


@given(st.sampled_from(REQUESTS), st.lists(fields | json_values, max_size=3))
def test_any_arguments_parse_or_are_refused_in_one_sentence(request_class, arguments):
    try:
        request = request_class.parse(arguments)
    except BadRequest as refusal:
        assert str(refusal).endswith(".")
        assert "\n" not in str(refusal)
    else:
        assert isinstance(request, request_class)
        for field in request.__struct_fields__:
            assert isinstance(getattr(request, field), str | int | UnsetType)


@given(st.text(), st.text(max_size=64))
def test_text_is_passed_on_unchanged(message, room):
    assert wire.Msg.parse([{"message": message, "room": room}]) == wire.Msg(message, room)
