"""What `chatapp export` writes and `chatapp import` reads: JSON lines, each with its `kind`.

First `log`: what it is. Then for each room a `room`, its newest message's number and time, and its
messages, oldest first; `lost` stands for those that could not be read from a damaged file. `end` is
the last line: without it something is missing.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from chatapp.chat.wire import Key, Number

FORMAT = 1

Room = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Positive = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Line(Struct, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True):
    """A line; numbers count from 1, times are ms since 1970."""


class LogLine(Line, tag="log"):
    format: int
    epoch: Text


class RoomLine(Line, tag="room"):
    room: Room
    newest: Number
    at: Number


class MessageLine(Line, tag="message"):
    room: Room
    id: Positive
    at: Number
    user: Text
    message: Text
    key: Key = ""


class LostLine(Line, tag="lost"):
    """Messages `first` to `last` of the room could not be read."""

    room: Room
    first: Positive
    last: Positive


class EndLine(Line, tag="end"):
    messages: Number


AnyLine = LogLine | RoomLine | MessageLine | LostLine | EndLine
