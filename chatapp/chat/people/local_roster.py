"""The roster of a single process.

The same rules are in `roster.lua`, for a Redis that several processes share. The tests of the rules
run on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from chatapp.chat.audience import Audience
from chatapp.chat.client import Client, DisconnectReason
from chatapp.chat.people.crowd import Announcer
from chatapp.chat.people.holds import Hold
from chatapp.chat.people.names import canonical
from chatapp.chat.people.presence import Absence, Presence
from chatapp.chat.people.roster import Named, Roster
from chatapp.chat.people.usernames import Claim, UsernameSet
from chatapp.chat.rooms import LOBBY
from chatapp.errors import TakenOver


class LocalRoster(Roster):
    """The roster of a single process. `name_hold`: seconds that a held name is kept."""

    def __init__(self, usernames: UsernameSet, audience: Audience, name_hold: float) -> None:
        self._usernames = usernames
        self._audience = audience
        self._name_hold = name_hold
        self._presence = Presence(Announcer(audience.broadcast, audience.call_later))

    def open(self) -> None:
        for hold in self._usernames.restore():
            self._await_owner(hold.user, hold, [LOBBY, *hold.rooms])

    def claim(self, client: Client, name: str, token: str = "", *, hold: bool = False) -> Named:
        with self._usernames.changing(client, *self._usernames.keys(name)):
            rooms = self._rooms_to_keep(client.user)
            claim = self._usernames.claim(name, client, token, hold=hold, rooms=rooms)
            self._list(client, claim)
            self._remember_rooms(claim.user)
        if claim.ousted and claim.listed:
            refusal = TakenOver(claim.listed)
            self._audience.kick(claim.ousted.id, "setUsername", refusal)
        return Named(claim.user, claim.token)

    def _list(self, client: Client, claim: Claim) -> None:
        """List the claimed name where it was listed, and in the client's rooms."""
        client.user = claim.user
        if claim.ousted and claim.listed:
            claim.ousted.user = None
            self._await_owner(claim.listed)
        for before in (claim.listed, claim.previous):
            if before not in (None, claim.user):
                self._presence.rename(before, claim.user, client.id)
        for room in self._audience.rooms(client.id):
            self._presence.enter(room, claim.user, client.id)

    def enter(self, client: Client, room: str) -> tuple[int, list[str]]:
        self._change_room(client, room, self._presence.enter)
        return self._presence.users(room)

    def leave(self, client: Client, room: str) -> None:
        self._change_room(client, room, self._presence.leave)

    def end(self, client: Client, reason: DisconnectReason) -> None:
        if client.user is None:  # and it can't get a name: its last event has been handled
            return
        with self._usernames.changing(client):
            if reason is DisconnectReason.CLEAN:
                released = self._usernames.release(client)
            else:
                released = self._usernames.hold_or_release(client)
            if released.hold:
                self._await_owner(released.hold.user, released.hold)
            elif released.user is not None:
                self._presence.leave_all(released.user, client.id)

    def may_announce(self, client: Client, room: str) -> bool:  # noqa: ARG002
        return not self._presence.is_large(room)

    def _await_owner(self, user: str, hold: Hold | None = None, rooms: Iterable[str] = ()) -> None:
        """Keep `user` listed until its owner is back in its rooms, or for `name_hold` seconds."""
        absence = self._presence.start_absence(user, rooms)
        self._audience.call_later(self._name_hold, partial(self._end_absence, absence, hold))

    def _end_absence(self, absence: Absence, hold: Hold | None) -> None:
        with self._usernames.changing(None, canonical(absence.user)):
            if hold:
                self._usernames.end_hold(hold)
            self._presence.end_absence(absence)
            self._remember_rooms(absence.user)

    def _change_room(
        self, client: Client, room: str, change: Callable[[str, str, str], None]
    ) -> None:
        with self._usernames.changing(client):
            if client.user is not None:
                change(room, client.user, client.id)
                self._remember_rooms(client.user)

    def _remember_rooms(self, user: str) -> None:
        if self._usernames.is_to_be_held(user):
            self._usernames.remember_rooms(user, self._rooms_to_keep(user))

    def _rooms_to_keep(self, user: str | None) -> list[str]:
        """Return the rooms to store with a hold: not the lobby, which every client is in."""
        rooms = self._presence.rooms_of(user) if user is not None else []
        return [room for room in rooms if room != LOBBY]
