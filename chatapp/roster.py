"""Roster: who is here, under which name, and in which rooms; and how the others hear of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from chatapp import wire
from chatapp.audience import Audience
from chatapp.client import Client, Gone
from chatapp.errors import TakenOver
from chatapp.names import fold
from chatapp.presence import Absence, Presence
from chatapp.usernames import Hold, UsernameSet


class Named(NamedTuple):
    """The name as shown, and what takes it over from now on, if it's to be held."""

    user: str
    token: str


class Roster(ABC):
    """Names and where they are. A client with a name is listed in the rooms that it hears
    (Audience.rooms); one that is to be held stays there for a while when its connection breaks.

    All methods may be called from any thread or greenlet, for one client by one at a time.
    """

    @abstractmethod
    def open(self) -> None:
        """Hold the names that were to be held when the process ended.

        Raises:
            Unavailable: they can't be read.
        """

    def close(self) -> None:  # noqa: B027 (where nobody else is told)
        """All clients have gone, and this is left."""

    @abstractmethod
    def claim(self, client: Client, name: str, token: str = "", *, hold: bool = False) -> Named:
        """Give `name` to the client as `client.user`, who gives up the one that it had, in one
        step.

        A `token` that fits takes the name over from whoever has it, who hears so and is closed.

        Raises:
            NameInvalid: it can't be a name.
            NameTaken: someone else has it, or one that can't be told from it.
            Unavailable: it can't be kept just now; nothing has changed.
        """

    @abstractmethod
    def enter(self, client: Client, room: str) -> tuple[int, list[str]]:
        """The client hears `room`; with a name it is listed there. How many names are there by now,
        and the first presence.CROWD of them, sorted without case.

        Raises:
            Unavailable: it can't be told just now; nothing has changed.
            NameLost: the client's name isn't its own any longer.
        """

    @abstractmethod
    def leave(self, client: Client, room: str) -> None:
        """The client doesn't hear `room` any longer."""

    @abstractmethod
    def end(self, client: Client, how: Gone) -> None:
        """The client's connection has ended: its name is free, or held if it asked for that and
        said no goodbye."""

    @abstractmethod
    def typing(self, client: Client, room: str) -> None:
        """The others in the room hear that the client is typing, unless it's a crowd.

        Raises:
            Unavailable: it can't be told just now.
        """


class LocalRoster(Roster):
    """That of one process. `name_hold`: seconds that a held name waits for its owner."""

    def __init__(self, usernames: UsernameSet, audience: Audience, name_hold: float) -> None:
        self._usernames = usernames
        self._audience = audience
        self._name_hold = name_hold
        self._presence = Presence(audience.tell, audience.later)

    def open(self) -> None:
        for hold in self._usernames.restore():
            self._await_owner(hold.user, hold, [wire.LOBBY, *hold.rooms])

    def claim(self, client: Client, name: str, token: str = "", *, hold: bool = False) -> Named:
        with self._usernames.changing(client, self._usernames.folded(name)):
            rooms = self._rooms_to_keep(client.user)
            claim = self._usernames.claim(name, client, token, hold=hold, rooms=rooms)
            user = client.user = claim.user
            if claim.ousted and claim.listed:
                claim.ousted.user = None
                self._await_owner(claim.listed)
            for before in (claim.listed, claim.previous):
                if before not in (None, user):
                    self._presence.rename(before, user, client.id)
            for room in self._audience.rooms(client.id):
                self._presence.enter(room, user, client.id)
            self._remember_rooms(user)
        if claim.ousted and claim.listed:
            refusal = TakenOver(claim.listed)
            self._audience.dismiss(claim.ousted.id, "setUsername", refusal)
        return Named(user, claim.token)

    def enter(self, client: Client, room: str) -> tuple[int, list[str]]:
        self._change_room(client, room, self._presence.enter)
        return self._presence.users(room)

    def leave(self, client: Client, room: str) -> None:
        self._change_room(client, room, self._presence.leave)

    def end(self, client: Client, how: Gone) -> None:
        if client.user is None:  # nor will it have a name: its turns are over
            return
        with self._usernames.changing(client):
            if how is Gone.GOODBYE:
                left: str | Hold | None = self._usernames.release(client)
            else:
                left = self._usernames.break_off(client)
            if isinstance(left, Hold):
                self._await_owner(left.user, left)
            elif left is not None:
                self._presence.depart(left, client.id)

    def typing(self, client: Client, room: str) -> None:
        change = {"room": room, "user": client.user or ""}
        self._presence.tell_others(room, "userTyping", change, client.id)

    def _await_owner(self, user: str, hold: Hold | None = None, rooms: Iterable[str] = ()) -> None:
        """The name stays in its rooms until its owner is back in them, or its time is over."""
        absence = self._presence.be_absent(user, rooms)
        self._audience.later(self._name_hold, partial(self._give_up, absence, hold))

    def _give_up(self, absence: Absence, hold: Hold | None) -> None:
        with self._usernames.changing(None, fold(absence.user)):
            if hold:
                self._usernames.end_hold(hold)
            self._presence.give_up(absence)
            self._remember_rooms(absence.user)

    def _change_room(
        self, client: Client, room: str, change: Callable[[str, str, str], None]
    ) -> None:
        with self._usernames.changing(client):
            if client.user is not None:
                change(room, client.user, client.id)
                self._remember_rooms(client.user)

    def _remember_rooms(self, user: str) -> None:
        self._usernames.remember_rooms(user, self._rooms_to_keep(user))

    def _rooms_to_keep(self, user: str | None) -> list[str]:
        """In the lobby everyone is."""
        rooms = self._presence.rooms_of(user) if user is not None else []
        return [room for room in rooms if room != wire.LOBBY]
