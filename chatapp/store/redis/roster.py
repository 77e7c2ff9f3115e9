"""The roster of a cluster: names and their rooms, on the Redis that all nodes share."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import msgspec

from chatapp.chat.audience import Audience
from chatapp.chat.client import Client, DisconnectReason
from chatapp.chat.people.crowd import Announcer
from chatapp.chat.people.holds import TOKEN_BYTES, hashed, is_token
from chatapp.chat.people.names import canonical, display_form, keys
from chatapp.chat.people.roster import Named, Roster
from chatapp.errors import Damaged, NameLost, NameTaken, TakenOver, Unavailable
from chatapp.store.redis.damage import DamagedKey, reading_key
from chatapp.store.redis.lease import LeaseLost, NodeLease
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import NAMES
from chatapp.store.redis.subscriber import Hint
from chatapp.store.redis.tasks import Task, TaskRunner


class TokenHash(msgspec.Struct):
    """The field of a name's record that nodes read: the hash of its token, in hex digits."""

    token: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class RedisRoster(Roster):
    """Names on the Redis of `log`. Its rules are in roster.lua.

    `name_hold`: seconds for which a name is held. `lease`: seconds after which a node that doesn't
    renew its lease is dead. `check_interval`: seconds between checks for what has expired.

    If Redis is down, disconnected clients and changed rooms are sent to it when it is back.
    """

    def __init__(
        self,
        log: RedisLog,
        audience: Audience,
        max_chars: int = 32,
        *,
        name_hold: float = 30.0,
        lease: float = 15.0,
        check_interval: float = 1.0,
    ) -> None:
        self._log = log
        self._audience = audience
        self._max_chars = max_chars
        self._name_hold = name_hold
        self._announcer = Announcer(audience.broadcast, audience.call_later)
        self._clients: dict[str, Client] = {}  # those that have claimed a name
        self._names: dict[str, list[str]] = {}  # the names that each may have, as compared
        self.tasks = TaskRunner(log, audience)
        self.lease = NodeLease(log, self.tasks, lease, check_interval)
        log.feed.on_hint(self._handle_hint)

    def open(self) -> None:
        self.lease.open()

    def close(self) -> None:
        self.lease.close()
        self.tasks.close()

    def claim(self, client: Client, name: str, token: str = "", *, hold: bool = False) -> Named:
        user = display_form(name, self._max_chars)
        folded, previous = canonical(user), canonical(client.user) if client.user else ""
        if self._log.server.is_down:  # don't start a claim whose outcome is unknown
            raise Unavailable
        known_hash = self._matching_hash(folded, token) if token else ""
        new_token = secrets.token_urlsafe(TOKEN_BYTES)
        names = self._names.setdefault(client.id, [])
        was_possible = folded in names  # by a claim whose outcome is unknown
        if not was_possible:
            names.append(folded)
        self._clients[client.id] = client
        try:
            fits = self._run_claim(
                client,
                name,
                folded=folded,
                user=user,
                entry=sorted_entry(user),
                likeness=keys(user)[-1],
                known_hash=known_hash,
                new_hash=hashed(new_token).hex(),
                hold=round(self._name_hold * 1000) if hold else 0,
                previous=previous,
            )
        except (Damaged, LeaseLost, NameTaken):  # the name wasn't given
            if not was_possible:
                names.remove(folded)
            raise
        client.user = user
        for other in {*names} - {folded, previous}:
            self.tasks.owe(disconnected(client, other, is_clean=True))
        self._names[client.id] = [folded]
        return Named(user, (token if fits else new_token) if hold else "")

    def _run_claim(self, client: Client, name: str, **arguments: Any) -> bool:
        """Run the task for `name` as typed; return whether the token that was sent fits."""
        outcome = self.tasks.run(
            "claim",
            holder=client.id,
            rooms=list(self._audience.rooms(client.id)),
            may_expire_nodes=self.lease.may_expire_nodes(),
            **arguments,
        ).decode()
        if outcome == "taken":
            raise NameTaken(name)
        if outcome == "lost":
            self.lease.renew_soon()
            raise LeaseLost
        return bool(outcome == "fits")

    def enter(self, client: Client, room: str) -> tuple[int, list[str]]:
        user = client.user  # another connection may take it over meanwhile
        if user is None:
            return parse_users(self.tasks.run("users", room=room))
        try:
            users = self.tasks.run_for(client, user, "enter", room=room)
        except Damaged:
            raise
        except Unavailable:
            self.tasks.sync_rooms_later(client)
            raise
        if users is None:
            raise NameLost
        return parse_users(users)

    def leave(self, client: Client, room: str) -> None:
        if user := client.user:
            try:
                self.tasks.run_for(client, user, "leave", room=room)
            except Damaged:
                pass  # nobody can tell whether the name is in the room
            except Unavailable:
                self.tasks.sync_rooms_later(client)

    def end(self, client: Client, reason: DisconnectReason) -> None:
        self.tasks.forget(client)
        self._clients.pop(client.id, None)
        for folded in self._names.pop(client.id, ()):
            task = disconnected(client, folded, is_clean=reason is DisconnectReason.CLEAN)
            try:
                self.tasks.run(task.name, **task.arguments)
            except Damaged:
                pass  # nobody can tell whose the name is
            except Unavailable:
                self.tasks.owe(task)

    def may_announce(self, client: Client, room: str) -> bool:
        user = client.user
        return bool(user and self.tasks.run_for(client, user, "may_announce", room=room))

    def _matching_hash(self, folded: str, token: str) -> str:
        """Return the hash of the name's token if `token` fits it, else nothing."""
        kept = self._log.query(lambda: self._token_hash(folded))
        return kept if kept and is_token(token, bytes.fromhex(kept)) else ""

    def _token_hash(self, folded: str) -> str:
        """Return the hash of the name's token, or nothing."""
        with reading_key(NAMES):
            record: Any = self._log.server.client.hget(NAMES, folded)
        if record is None:
            return ""
        try:
            return msgspec.msgpack.decode(record, type=TokenHash).token
        except msgspec.MsgspecError:
            fault = f"a field of {NAMES} isn't the record of a name"
            raise DamagedKey(f"HVALS {NAMES}", fault) from None

    def _handle_hint(self, room: str, hint: Hint) -> None:
        """Tell this node's clients of a change; `@NODE` is a hint for one of them."""
        if room.startswith("@"):
            self._handle_own_hint(hint)
            return
        change = {"room": room, "user": hint.user}
        if hint.to:
            change = {"room": room, "from": hint.user, "to": hint.to}
        self._announcer.announce(room, hint.event, change, hint.holder, hint.count)

    def _handle_own_hint(self, hint: Hint) -> None:
        client = self._clients.get(hint.holder)
        if client and client.user == hint.user:
            if hint.event == "takenOver":
                client.user = None
                self._audience.kick(client.id, "setUsername", TakenOver(hint.user))
            else:
                self._audience.close(client.id)


def disconnected(client: Client, folded: str, *, is_clean: bool) -> Task:
    """Return the task that releases or holds a name of a connection that has ended."""
    return Task("disconnected", {"holder": client.id, "folded": folded, "is_clean": is_clean})


def sorted_entry(user: str) -> str:
    """Return a name as it is sorted in its rooms: without case, NUL, as shown."""
    return f"{user.casefold()}\0{user}"


def parse_users(answer: Any) -> tuple[int, list[str]]:
    """Return the number of names in a room, and the first of them as shown."""
    count, entries = answer
    return int(count), [entry.decode().partition("\0")[2] for entry in entries]
