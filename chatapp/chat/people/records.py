"""The records of a process's names, found by any of a name's keys."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from chatapp.chat.people.holds import Hold
from chatapp.chat.people.names import keys


class Record(NamedTuple):
    """A name's holder, None while the name is held, and the hold that is kept for it, if any."""

    user: str
    holder: Hashable | None
    hold: Hold | None


class Records:
    """Map each folded name to its record. `UsernameSet` locks what it reads and changes."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._likenesses: dict[str, str] = {}  # the folded name of each other key

    def get(self, folded: str) -> Record | None:
        return self._records.get(folded)

    def put(self, folded: str, record: Record) -> None:
        before = self._records.get(folded)
        if before and before.user != record.user:
            self.remove(folded)
        self._records[folded] = record
        if (likeness := keys(record.user)[-1]) != folded:
            self._likenesses.setdefault(likeness, folded)

    def remove(self, folded: str) -> Record:
        record = self._records.pop(folded)
        likeness = keys(record.user)[-1]
        if likeness != folded and self._likenesses.get(likeness) == folded:
            del self._likenesses[likeness]
        return record

    def names_like(self, names_keys: Iterable[str]) -> set[str]:
        """Return `names_keys` and the folded names that have one of these as their other key."""
        found = {*names_keys}
        for key in names_keys:
            if key in self._likenesses:
                found.add(self._likenesses[key])
        return found
