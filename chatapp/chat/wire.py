"""The arguments and answers of events as structs (docs/wire.md).

`Request.parse` is the only place that checks the shape of what a client sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from chatapp.chat.rooms import LOBBY
from chatapp.errors import BadRequest, ChatError, RateLimited

Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}\Z")]
MAX_PAGE = 200
"""Messages on a page of `join` and `history`, at most (docs/wire.md, Catching up)."""
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Number = Annotated[int, Meta(ge=0, le=2**53 - 1)]

EXPECTED = {
    "name": "a string",
    "message": "a string",
    "room": "a string",
    "key": "8 to 64 characters of A-Z, a-z, 0-9, _ and -",
    "limit": f"a whole number from 1 to {MAX_PAGE}",
    "since": f"a whole number from 0 to {2**53 - 1}",
    "before": f"a whole number from 0 to {2**53 - 1}",
    "token": "a string",
    "hold": "true or false",
}


class Request(Struct, frozen=True):
    """The arguments of an event. `optional`: the argument may be left out."""

    event: ClassVar[str]
    optional: ClassVar[bool] = False

    @classmethod
    def parse(cls, arguments: Sequence[Any]) -> Self:
        """Parse the arguments of an event.

        Raises:
            BadRequest: their number, type or shape is wrong. The sentence names the field.
        """
        if not arguments and cls.optional:
            return cls._convert({})
        if len(arguments) != 1:
            raise BadRequest(f"{cls.event} takes one argument, not {len(arguments)}.")
        _refuse_binary(arguments)
        if not isinstance(arguments[0], dict):
            raise BadRequest(f"The argument of {cls.event} should be an object.")
        return cls._convert(arguments[0])

    @classmethod
    def _convert(cls, fields: dict[str, Any]) -> Self:
        own = {field: fields[field] for field in cls.__struct_fields__ if field in fields}
        for field, value in own.items():
            try:
                if isinstance(value, str):
                    value.encode()
            except UnicodeEncodeError:
                raise BadRequest(f"The {field} of {cls.event} has an unpaired surrogate.") from None
        try:
            return msgspec.convert(own, cls)
        except msgspec.ValidationError as error:
            match = re.search(r"`\$?\.?(\w+)`$", str(error))
            field = match[1] if match else "argument"
            expected = EXPECTED.get(field, "what docs/wire.md says")
            raise BadRequest(f"The {field} of {cls.event} should be {expected}.") from None


class SetUsername(Request, frozen=True):
    event = "setUsername"
    name: str
    token: str = ""
    hold: bool = False

    @classmethod
    def parse(cls, arguments: Sequence[Any]) -> Self:
        if len(arguments) not in (1, 2):
            raise BadRequest(f"{cls.event} takes one or two arguments, not {len(arguments)}.")
        _refuse_binary(arguments)
        if len(arguments) == 2 and not isinstance(arguments[1], dict):
            raise BadRequest(f"The second argument of {cls.event} should be an object.")
        options = arguments[1] if len(arguments) == 2 else {}
        return cls._convert({**options, "name": arguments[0]})


class Msg(Request, frozen=True):
    event = "msg"
    message: str
    room: str = LOBBY
    key: Key = ""


class Join(Request, frozen=True):
    event = "join"
    optional = True
    room: str = LOBBY
    since: Number | UnsetType = UNSET
    limit: Limit = 50


class Leave(Request, frozen=True):
    event = "leave"
    optional = True
    room: str = LOBBY


class History(Request, frozen=True):
    event = "history"
    optional = True
    room: str = LOBBY
    before: Number | UnsetType = UNSET
    since: Number | UnsetType = UNSET
    limit: Limit = 50

    @classmethod
    def parse(cls, arguments: Sequence[Any]) -> Self:
        request = super().parse(arguments)
        if request.before is not UNSET and request.since is not UNSET:
            raise BadRequest("The before of history should be left out where there is a since.")
        return request


class Typing(Request, frozen=True):
    event = "typing"
    optional = True
    room: str = LOBBY


def contains_bytes(value: Any) -> bool:
    """Return whether there is binary data in `value`, at any depth."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, (list, tuple)):
            pending += value
        elif isinstance(value, (bytes, bytearray)):
            return True
    return False


def _refuse_binary(arguments: Sequence[Any]) -> None:
    if contains_bytes(arguments):
        raise BadRequest("The arguments should be JSON, without binary data.")


class Answer(Struct, kw_only=True):
    """An acknowledgement of success."""

    ok: bool = True


class NameSet(Answer):
    user: str
    token: str | UnsetType = UNSET


class Posted(Answer):
    room: str
    id: int
    at: int


Messages = list[tuple[dict[str, Any], dict[str, Any]]]
"""`newmsg`'s two arguments for each message, oldest first."""


class HistoryPage(Answer):
    room: str
    epoch: str
    messages: Messages
    more: bool


class Left(Answer):
    room: str


class Joined(Answer):
    room: str
    epoch: str
    count: int
    users: list[str]
    messages: Messages
    more: bool


class Refusal(Struct, kw_only=True):
    """An acknowledgement of failure. `retryAfter` is in milliseconds."""

    ok: bool = False
    code: str
    message: str
    retryAfter: int | UnsetType = UNSET  # noqa: N815


class Refused(Struct, kw_only=True):
    """The event `refused`, which is sent with or without an acknowledgement."""

    event: Any  # as it was sent: a string or, as Socket.IO allows, a number
    code: str
    message: str
    retryAfter: int | UnsetType = UNSET  # noqa: N815


def refused(event: Any, refusal: ChatError) -> Refused:
    retry_after = refusal.retry_after if isinstance(refusal, RateLimited) else UNSET
    return Refused(event=event, code=refusal.code, message=str(refusal), retryAfter=retry_after)
