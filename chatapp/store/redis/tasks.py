"""Runs the tasks of roster.lua, in batches, and repeats those whose outcome is unknown."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from chatapp.chat.audience import Audience
from chatapp.chat.client import Client
from chatapp.chat.people.crowd import MAX_LISTED
from chatapp.chat.people.names import canonical
from chatapp.errors import ChatError, Damaged
from chatapp.store.batch import Batches
from chatapp.store.redis.damage import parse_damage
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import load

SCRIPT = load("roster.lua", MAX_LISTED=MAX_LISTED)


class Task(NamedTuple):
    """A task of roster.lua, and its arguments except for the node."""

    name: str
    arguments: dict[str, Any]


class TaskRunner:
    """Run tasks on the Redis of `log` for this node. Thread-safe.

    Tasks that wait are sent in one round trip. If Redis fails meanwhile, it may have run them. The
    roster then owes the tasks that must not be forgotten, and marks clients whose rooms may differ
    on Redis. Both are sent before the next batch.

    A task that needs a damaged key is done with Damaged, also if it was owed: only its own caller
    gets the error, and other tasks go on.
    """

    def __init__(self, log: RedisLog, audience: Audience) -> None:
        self.node = ""  # set by NodeLease
        self.owed: deque[Task] = deque()
        self._out_of_sync: dict[str, Client] = {}
        self._log = log
        self._audience = audience
        self._batches: Batches[Task, Any] = Batches(self._run, lambda _: None)

    def run(self, name: str, **arguments: Any) -> Any:
        """Run a task and return its answer.

        Raises:
            Damaged: it needs a damaged key, and has changed nothing.
            Unavailable: Redis doesn't answer; it may have run the task.
        """
        return self._batches.append(Task(name, arguments))

    def run_for(self, client: Client, user: str, name: str, **arguments: Any) -> Any:
        """Run a task for a client that has the name `user`, as `run`."""
        return self.run(name, holder=client.id, folded=canonical(user), **arguments)

    def run_at_once(self, name: str, **arguments: Any) -> Any:
        """Run a task outside of batches, also while Redis counts as down.

        Raises:
            RedisError: Redis can't be used.
        """
        call = self._call(Task(name, arguments))
        return self._answer(self._log.server.run_script(SCRIPT, *call))

    def owe(self, task: Task) -> None:
        """Run a task before the next batch."""
        self.owed.append(task)

    def sync_rooms_later(self, client: Client) -> None:
        """Send the rooms of `client` before the next batch, as Redis may not know them."""
        self._out_of_sync[client.id] = client

    def forget(self, client: Client) -> None:
        self._out_of_sync.pop(client.id, None)

    def close(self) -> None:
        self._batches.close()

    def _run(self, tasks: Collection[Task]) -> Sequence[tuple[Any | ChatError, bool]]:
        owed, clients = list(self.owed), list(self._out_of_sync.values())
        first = owed + [
            self._sync_rooms(client, user) for client in clients if (user := client.user)
        ]
        calls = [self._call(task) for task in (*first, *tasks)]
        answers = self._log.query(lambda: self._log.server.run_pipelined(SCRIPT, *calls))
        for _ in owed:
            self.owed.popleft()
        for client in clients:
            self._out_of_sync.pop(client.id, None)
        return [(self._answer(answer), False) for answer in answers][len(first) :]

    def _call(self, task: Task) -> tuple[list[str], list[Any]]:
        packed = msgspec.msgpack.encode({"node": self.node, **task.arguments})
        return [], [task.name, packed]

    def _answer(self, answer: Any) -> Any | Damaged:
        """Return the task's own answer, and log the damage that the script has noted."""
        if isinstance(answer, Damaged):
            return answer
        own, notes = answer
        for note in notes:
            self._log.server.report_damage(parse_damage(note.decode("ascii", "replace")))
        return own

    def _sync_rooms(self, client: Client, user: str) -> Task:
        rooms = list(self._audience.rooms(client.id))
        arguments = {"holder": client.id, "folded": canonical(user), "rooms": rooms}
        return Task("sync_rooms", arguments)
