"""Roster: the contract for names, the rooms they are listed in, and their announcements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from chatapp.chat.client import Client, DisconnectReason


class Named(NamedTuple):
    """A name as it is shown, and the token that takes it over if it is to be held, else ""."""

    user: str
    token: str


class Roster(ABC):
    """The names of the clients, and the rooms in which they are listed.

    A client with a name is listed in the rooms that it is in (Audience.rooms). When the connection
    of a client is lost whose name is to be held, the name stays listed for a while.

    All methods may be called from any thread or greenlet, but for one client not at once.
    """

    @abstractmethod
    def open(self) -> None:
        """Hold the names that were to be held when the process ended.

        Raises:
            Unavailable: they can't be read.
        """

    def close(self) -> None:  # noqa: B027 (a single process has nothing to announce)
        """Leave the chat; all clients have disconnected."""

    @abstractmethod
    def claim(self, client: Client, name: str, token: str = "", *, hold: bool = False) -> Named:
        """Give `name` to the client as `client.user`, and release its last one, in one step.

        A valid `token` takes the name over from its holder, which is told so and closed.

        Raises:
            NameInvalid: it can't be a name.
            NameTaken: another client has the name or an equal one, or it is held.
            Unavailable: it can't be stored now; nothing has changed.
        """

    @abstractmethod
    def enter(self, client: Client, room: str) -> tuple[int, list[str]]:
        """List the client in `room`, which it has entered, if it has a name.

        Return the number of names in the room, and the first crowd.MAX_LISTED of them, sorted
        without case.

        Raises:
            Unavailable: it can't be stored now; nothing has changed.
            NameLost: the name is no longer the client's.
        """

    @abstractmethod
    def leave(self, client: Client, room: str) -> None:
        """Remove the client from `room`, which it has left."""

    @abstractmethod
    def end(self, client: Client, reason: DisconnectReason) -> None:
        """Release the name of a client that has disconnected, or hold it.

        A name is held if the client asked for it and the connection was lost.
        """

    @abstractmethod
    def may_announce(self, client: Client, room: str) -> bool:
        """Return whether the others in `room` are told what the client does there.

        They aren't if the room has more than crowd.MAX_LISTED names, or if another client has taken
        over the client's name.

        Raises:
            Unavailable: the names in the room can't be read now.
        """
