"""The refusals of docs/wire.md, one class for each code.

ChatError
├── BadRequest        bad_request
├── UnknownEvent      unknown_event
├── NameRequired      name_required
├── NameTaken         name_taken
├── NameInvalid       name_invalid
├── RoomInvalid       room_invalid
├── NotInRoom         not_in_room
├── TooManyRooms      too_many_rooms
├── RateLimited       rate_limited
├── MessageEmpty      message_empty
├── MessageTooLong    message_too_long
├── TakenOver         taken_over
├── Unavailable       unavailable
│   ├── NameLost
│   └── Damaged
└── Internal          internal

StoreError: a store that can't be opened; the operator is told.
SettingError: a bad value of a setting; the start ends with this line.
"""

from __future__ import annotations

from typing import ClassVar


class ChatError(Exception):
    """A refusal. It changes nothing, and whoever caused it is told (docs/wire.md, Refusals).

    Its text is the sentence that a person reads; `code` is for programs and stable.
    """

    code: ClassVar[str]


class BadRequest(ChatError):
    """Arguments of the wrong number, type or shape; the sentence names the field."""

    code = "bad_request"


class UnknownEvent(ChatError):
    code = "unknown_event"

    def __init__(self) -> None:
        super().__init__("There is no such event.")


class NameRequired(ChatError):
    code = "name_required"

    def __init__(self) -> None:
        super().__init__("Choose a name first.")


class NameTaken(ChatError):
    code = "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} username is taken! Try some other username.")


class NameInvalid(ChatError):
    """Empty, too long or not presentable; the sentence says which."""

    code = "name_invalid"


class RoomInvalid(ChatError):
    code = "room_invalid"


class NotInRoom(ChatError):
    code = "not_in_room"

    def __init__(self, room: str) -> None:
        super().__init__(f"You are not in the room {room}; join it first.")


class TooManyRooms(ChatError):
    code = "too_many_rooms"

    def __init__(self, bound: int) -> None:
        super().__init__(f"You are in {bound} rooms, the most allowed; leave one first.")


class RateLimited(ChatError):
    """Too many. `retry_after` is in milliseconds, at least 1."""

    code = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"That was too much at once; try again in {retry_after / 1000:.1f} s.")
        self.retry_after = retry_after


class MessageEmpty(ChatError):
    code = "message_empty"

    def __init__(self) -> None:
        super().__init__("The message has nothing in it that can be seen.")


class MessageTooLong(ChatError):
    code = "message_too_long"

    def __init__(self, length: int, bound: int) -> None:
        super().__init__(f"The message has {length} characters; {bound} are allowed.")


class TakenOver(ChatError):
    """One's name was taken over with its token by another connection; this one is closed."""

    code = "taken_over"

    def __init__(self, user: str) -> None:
        super().__init__(f"Your name {user} was taken over by another connection of yours.")


class Unavailable(ChatError):
    """The store can't take it now: nothing was appended that could be lost by trying again."""

    code = "unavailable"

    def __init__(self) -> None:
        super().__init__("The chat can't store messages just now; try again in a moment.")


class NameLost(Unavailable):
    """The sender's name isn't its own any more: in a cluster, its node was away for too long. Its
    connection is to end, so that it comes back and takes its name again."""


class Damaged(Unavailable):
    """What the store keeps of this room, or under this name, can't be used. The operator is told.
    It says nothing about other rooms and names, nor about the store."""


class Internal(ChatError):
    code = "internal"

    def __init__(self) -> None:
        super().__init__("Something went wrong on the server; nothing was sent.")


class StoreError(Exception):
    """What's wrong with a store: one line, for whoever runs it, that says what to do."""


class SettingError(ValueError):
    """A bad value of a setting: one line with its name, its value and what is expected."""
