"""The roster of a cluster: names on the Redis that all its nodes share (roster.lua)."""

from __future__ import annotations

import random
import secrets
import threading
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, NamedTuple

import msgspec

from chatapp.chat.audience import Audience
from chatapp.chat.client import Client, Gone
from chatapp.chat.people.crowd import Announcer
from chatapp.chat.people.holds import TOKEN_BYTES, hashed, is_token
from chatapp.chat.people.names import fold, present
from chatapp.chat.people.roster import Named, Roster
from chatapp.errors import ChatError, Damaged, NameLost, NameTaken, TakenOver, Unavailable
from chatapp.store.batch import Batches
from chatapp.store.redis.client import logger
from chatapp.store.redis.damage import DamagedKey, noted, reading
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import CHECKED, NAMES
from chatapp.store.redis.subscriber import Hint
from chatapp.store.threads import event

SCRIPT = CHECKED + Path(__file__).with_name("roster.lua").read_text()


class Task(NamedTuple):
    """What the script is to do, for which connection, and what it needs to know."""

    name: str
    holder: str = ""
    arguments: tuple[Any, ...] = ()


class Token(msgspec.Struct):
    """What a node itself reads of a name's record: the hash of its token, as hexadecimal digits."""

    token: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class RedisRoster(Roster):
    """Names on the Redis of `log`, for as long as this node has its lease.

    `name_hold`: seconds that a held name waits for its owner. `lease`: seconds for which a node
    that says nothing is taken for alive; it's renewed at a third of that. A dead node's names are
    free when it ends, held ones when their hold, counted from there, is over. `check_interval`:
    seconds between looks at what has ended.

    A record that can't be read, or a room's list of a wrong type, is an error of who asks for that
    name or enters that room (roster.lua). Nothing is owed for it, and the next task goes on.

    What is doubtful since Redis went away is put right when it's back: what has gone is gone then,
    and who is in which room is said again.
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
        self._lease = lease
        self._check_interval = min(check_interval, lease / 3)
        self._announcer = Announcer(audience.tell, audience.later)
        self._node = ""
        self._renewed = 0.0
        self._in_touch_since = float("-inf")
        self._clients: dict[str, Client] = {}
        self._names: dict[str, list[str]] = {}  # of each client, as far as it may have them
        self._doubtful: dict[str, Client] = {}  # clients whose rooms Redis may not know
        self._owed: deque[Task] = deque()
        self._batches: Batches[Task, Any] = Batches(self._run, lambda _: None)
        self._closed = event()
        log.on_break(self._begin_anew)
        log.on_hint = self._hear
        log.on_return = self._renew

    def open(self) -> None:
        self._begin()
        threading.Thread(target=self._look_now_and_then, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        with suppress(Unavailable):
            while self._node and self._do("quit"):
                pass
        self._batches.close()

    def claim(self, client: Client, name: str, token: str = "", *, hold: bool = False) -> Named:
        user = present(name, self._max_chars)
        folded, before = fold(user), fold(client.user) if client.user else ""
        if self._log.server.away:  # so that it isn't asked, and nothing is doubtful
            raise Unavailable
        known = self._known(folded, token) if token else ""
        new = secrets.token_urlsafe(TOKEN_BYTES)
        ms = round(self._name_hold * 1000) if hold else 0
        names = self._names.setdefault(client.id, [])
        is_doubtful = folded in names
        if not is_doubtful:
            names.append(folded)
        self._clients[client.id] = client
        rooms = self._audience.rooms(client.id)
        who = (folded, user, entry_of(user))
        tokens = (known, hashed(new).hex(), ms)
        try:
            outcome = self._do(
                "claim", client, *who, *tokens, before, int(self._may_bury()), *rooms
            ).decode()
        except Damaged:  # nothing was done
            if not is_doubtful:
                names.remove(folded)
            raise
        if outcome in ("taken", "lost"):
            if not is_doubtful:
                names.remove(folded)
            if outcome == "taken":
                raise NameTaken(name)
            self._renewed = float("-inf")
            raise Unavailable
        client.user = user
        for other in {*names} - {folded, before}:  # claimed when Redis went away
            self._owed.append(Task("gone", client.id, (other, 1)))
        self._names[client.id] = [folded]
        return Named(user, (token if outcome == "fits" else new) if hold else "")

    def enter(self, client: Client, room: str) -> tuple[int, list[str]]:
        if client.user is None:
            return people(self._do("users", None, room))
        try:
            there = self._do("enter", client, fold(client.user), room)
        except Damaged:
            raise
        except Unavailable:
            self._doubtful[client.id] = client
            raise
        if there is None:
            raise NameLost
        return people(there)

    def leave(self, client: Client, room: str) -> None:
        if client.user is not None:
            try:
                self._do("leave", client, fold(client.user), room)
            except Damaged:
                pass
            except Unavailable:
                self._doubtful[client.id] = client

    def end(self, client: Client, how: Gone) -> None:
        self._doubtful.pop(client.id, None)
        self._clients.pop(client.id, None)
        for folded in self._names.pop(client.id, ()):
            task = Task("gone", client.id, (folded, int(how is Gone.GOODBYE)))
            try:
                self._batches.append(task)
            except Damaged:
                pass  # as Redis doesn't know who has the name
            except Unavailable:
                self._owed.append(task)

    def may_announce(self, client: Client, room: str) -> bool:
        return bool(self._do("may_announce", client, fold(client.user or ""), room))

    def _do(self, name: str, client: Client | None = None, *arguments: Any) -> Any:
        """What the script answers.

        Raises:
            Damaged: it can't, and nothing is done.
            Unavailable: Redis doesn't; it may be done all the same.
        """
        return self._batches.append(Task(name, client.id if client else "", arguments))

    def _run(self, tasks: Collection[Task]) -> Sequence[tuple[Any | ChatError, bool]]:
        """Do them in one round trip, after all that is owed. One that meets damage is done with,
        whether it was owed or not: only its own answer says so."""
        owed = list(self._owed)
        doubtful = list(self._doubtful.values())
        before = owed + [self._be_in(client) for client in doubtful if client.user is not None]
        calls: list[tuple[list[str], list[Any]]] = [
            ([], [task.name, self._node, task.holder, *task.arguments])
            for task in (*before, *tasks)
        ]
        answers = self._log.ask(lambda: self._log.server.run(SCRIPT, *calls))
        for _ in owed:
            self._owed.popleft()
        for client in doubtful:
            self._doubtful.pop(client.id, None)
        return [(self._answer(answer), False) for answer in answers][len(before) :]

    def _answer(self, answered: Any) -> Any | Damaged:
        """A task's answer, of what the script answers; what it notes is logged."""
        if isinstance(answered, Damaged):
            return answered
        answer, notes = answered
        for note in notes:
            self._log.server.report(noted(note.decode("ascii", "replace")))
        return answer

    def _be_in(self, client: Client) -> Task:
        rooms = self._audience.rooms(client.id)
        return Task("be_in", client.id, (fold(client.user or ""), *rooms))

    def _known(self, folded: str, token: str) -> str:
        """The hash of `token`, where it's that of the name."""
        kept = self._log.ask(lambda: self._kept_token(folded))
        return kept if kept and is_token(token, bytes.fromhex(kept)) else ""

    def _kept_token(self, folded: str) -> str:
        """The hash of the name's token, or nothing."""
        with reading(NAMES):
            found: Any = self._log.server.client.hget(NAMES, folded)
        if found is None:
            return ""
        try:
            return msgspec.msgpack.decode(found, type=Token).token
        except msgspec.MsgspecError:
            wrong = f"a field of {NAMES} isn't the record of a name"
            raise DamagedKey(f"HVALS {NAMES}", wrong) from None

    # The node

    def _begin(self) -> None:
        self._node = secrets.token_urlsafe(9)
        self._log.listener.hear(f"@{self._node}")
        self._do("begin", None, self._ms())
        self._renewed = monotonic()

    def _begin_anew(self) -> None:
        """All names are lost: this node is another one."""
        self._log.listener.forget(f"@{self._node}")
        with suppress(Unavailable):  # else when it looks
            self._begin()

    def _look_now_and_then(self) -> None:
        while not self._closed.wait(self._check_interval * random.uniform(0.75, 1)):  # noqa: S311 (no secret)
            try:
                self._look()
            except Damaged:
                pass  # which says nothing of Redis
            except Unavailable:
                self._in_touch_since = float("inf")
            except Exception:
                logger.exception("what has ended of names couldn't be looked at")

    def _look(self) -> None:
        if monotonic() >= self._renewed + self._lease / 3:
            self._log.ask(self._renew)
        if self._in_touch_since == float("inf"):
            self._in_touch_since = monotonic()
        for task in ("bury", "settle") if self._may_bury() else ("settle",):
            while self._do(task) and not self._closed.is_set():
                pass

    def _renew(self) -> None:
        """Renew the lease, or find that it's lost.

        Raises:
            RedisError: Redis doesn't answer.
        """
        if not self._node:
            return
        begun = monotonic()
        arguments = ["renew", self._node, "", self._ms()]
        is_ours = self._answer(self._log.server.call(SCRIPT, [], arguments))
        self._renewed = begun
        if not is_ours:
            logger.error(
                "this node was away for longer than its lease of %g s, and its names are others' "
                "to take; its clients begin anew",
                self._lease,
            )
            self._log.break_off()

    def _may_bury(self) -> bool:
        """Whether a node without a lease is dead: else it's back as lately as this one."""
        return monotonic() - self._in_touch_since >= self._lease

    def _ms(self) -> int:
        return round(self._lease * 1000)

    # What other nodes say

    def _hear(self, room: str, hint: Hint) -> None:
        change = {"room": room, "user": hint.user}
        if room.startswith("@"):
            self._hear_of_ones_own(hint)
        else:
            if hint.to:
                change = {"room": room, "from": hint.user, "to": hint.to}
            self._announcer.announce(room, hint.event, change, hint.holder, hint.count)

    def _hear_of_ones_own(self, hint: Hint) -> None:
        client = self._clients.get(hint.holder)
        if client and client.user == hint.user:
            if hint.event == "takenOver":
                client.user = None
                self._audience.dismiss(client.id, "setUsername", TakenOver(hint.user))
            else:
                self._audience.close(client.id)


def entry_of(user: str) -> str:
    """A name as it's sorted in its rooms."""
    return f"{user.casefold()}\0{user}"


def people(there: Any) -> tuple[int, list[str]]:
    count, entries = there
    return int(count), [entry.decode().partition("\0")[2] for entry in entries]
