"""The format of an exported log: JSON lines, each an object with a `kind`.

1. `log`: the version of the format, and the epoch.
2. For each room: `room`, then its messages, oldest first. `lost` stands for messages that couldn't
   be read from a damaged file.
3. `end`: the last line. Without it the export is incomplete.
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
    """A line. Numbers count from 1; times are in ms since 1970."""


class LogLine(Line, tag="log"):
    """The first line."""

    format: int
    epoch: Text


class RoomLine(Line, tag="room"):
    """A room, with the number and time of its newest message."""

    room: Room
    newest: Number
    at: Number


class MessageLine(Line, tag="message"):
    """A message, as `chat.log.Entry`."""

    room: Room
    id: Positive
    at: Number
    user: Text
    message: Text
    key: Key = ""


class LostLine(Line, tag="lost"):
    """The messages `first` to `last` of a room, which couldn't be read."""

    room: Room
    first: Positive
    last: Positive


class EndLine(Line, tag="end"):
    """The last line, with the number of all messages."""

    messages: Number


AnyLine = LogLine | RoomLine | MessageLine | LostLine | EndLine
