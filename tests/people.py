"""A chat without sockets, and the people in it."""

from __future__ import annotations

from itertools import count

from audience import Audience

from chatapp.chat import wire
from chatapp.chat.client import Bounds, Gone
from chatapp.chat.log import Log
from chatapp.chat.people.local_roster import LocalRoster
from chatapp.chat.people.roster import Roster
from chatapp.chat.people.usernames import UsernameSet
from chatapp.chat.rules import Chat
from chatapp.errors import ChatError
from chatapp.store.memory import MemoryLog

NUMBERS = count(1)


class Room:
    """A chat and the people in it."""

    def __init__(self, holds=None, max_name_chars=32, name_hold=30.0, **bounds) -> None:
        self.audience = Audience()
        self.log = self.make_log()
        self.roster = self.make_roster(holds, max_name_chars, name_hold)
        self.chat = Chat(self.log, self.roster, self.audience, Bounds(**bounds))

    def make_log(self) -> Log:
        return MemoryLog()

    def make_roster(self, holds, max_name_chars: int, name_hold: float) -> Roster:
        return LocalRoster(UsernameSet(max_name_chars, holds), self.audience, name_hold)

    def close(self) -> None:
        self.chat.close()

    def wait(self, seconds: float) -> None:
        """Let time pass; what is due happens."""
        self.audience.wait(seconds)

    def settle(self) -> None:
        """See to it that everybody has heard everything."""

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
        self._heard = room.audience.heard[self.id] = []
        self.client = room.chat.connect(self.id)
        self.token = ""

    @property
    def heard(self) -> list:
        self.room.settle()
        return self._heard

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
        chat, request = self.room.chat, wire.Msg(message, **fields)
        return chat.turn(self.client, lambda: chat.say(self.client, request), beside=True)

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
