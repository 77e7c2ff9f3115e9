"""Roster: who is here, under which name, and in which rooms; and how the others hear of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from chatapp.chat.client import Client, Gone


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
        and the first crowd.CROWD of them, sorted without case.

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
    def may_announce(self, client: Client, room: str) -> bool:
        """Return whether the others in `room` are told what the client does there.

        They aren't if the room has more than crowd.CROWD names, or if another client has taken over
        the client's name.

        Raises:
            Unavailable: the names in the room can't be read now.
        """
