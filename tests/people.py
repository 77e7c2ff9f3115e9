"""A chat without sockets, and the people in it."""

from __future__ import annotations

from itertools import count

from audience import Audience

from chatapp import wire
from chatapp.chat import Chat
from chatapp.client import Bounds, Gone
from chatapp.errors import ChatError
from chatapp.roster import LocalRoster
from chatapp.store.memory import MemoryLog
from chatapp.usernames import UsernameSet

NUMBERS = count(1)


class Room:
    """A chat and the people in it."""

    def __init__(self, holds=None, max_name_chars=32, name_hold=30.0, **bounds) -> None:
        self.audience = Audience()
        self.log = MemoryLog()
        roster = LocalRoster(UsernameSet(max_name_chars, holds), self.audience, name_hold)
        self.chat = Chat(self.log, roster, self.audience, Bounds(**bounds))

    def names(self) -> list[str]:
        """All names that are somebody's, or held."""
        return self.connects().joins().users

    def connects(self, name: str = "", **options) -> Person:
        person = Person(self)
        if name:
            person.sets(name, **options)
        return person


class Person:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.id = f"client-{next(NUMBERS)}"
        self.heard = room.audience.heard[self.id] = []
        self.client = room.chat.connect(self.id)
        self.token = ""

    def sets(self, name: str, **options) -> wire.NameSet:
        answer = self.room.chat.name(self.client, wire.SetUsername(name, **options))
        self.token = answer.token
        return answer

    def tries(self, name: str, **options) -> str:
        """Sets the name; what refuses it, or nothing."""
        try:
            self.sets(name, **options)
        except ChatError as refusal:
            return refusal.code
        return ""

    def says(self, message: str, **fields) -> wire.Said:
        return self.room.chat.say(self.client, wire.Msg(message, **fields))

    def joins(self, room: str = "lobby", **fields) -> wire.Joined:
        return self.room.chat.join(self.client, wire.Join(room, **fields))

    def leaves(self, room: str) -> wire.Left:
        return self.room.chat.leave(self.client, wire.Leave(room))

    def reads(self, room: str = "lobby", **fields) -> wire.Read:
        return self.room.chat.history(self.client, wire.History(room, **fields))

    def types(self, room: str = "lobby") -> wire.Answer:
        return self.room.chat.typing(self.client, wire.Typing(room))

    def goes(self) -> None:
        """With a goodbye."""
        self.ends(Gone.GOODBYE)

    def breaks_off(self) -> None:
        self.ends(Gone.BROKEN)

    def ends(self, how: Gone) -> None:
        self.room.audience.forget(self.id)
        self.room.chat.disconnect(self.client, how)
