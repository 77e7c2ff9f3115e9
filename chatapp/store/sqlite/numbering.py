"""The numbers of a batch's messages, each in its room."""

from __future__ import annotations

from collections.abc import Callable

from chatapp.chat.log import Draft, Entry
from chatapp.chat.people.names import canonical

Row = tuple[int, int, int, str, str, str | None, str | None]
"""The values of `rows.ROW`."""


class RoomState:
    """A room's id in the file, and the number and time (ms) of its newest message."""

    __slots__ = (
        "at",
        "id",
        "newest",
    )

    def __init__(self, id: int, newest: int, at: int) -> None:  # noqa: A002
        self.id = id
        self.newest = newest
        self.at = at


class Numbering:
    """Number the drafts of one transaction at the time `now` (ms since 1970).

    `load_room(name)` returns a room's state before the batch. `find(room, draft, folded)` returns
    the entry that the file has under a draft's key; without it, only keys within the batch are
    compared.

    `rooms` has the states after the batch, `rows` the rows to insert.
    """

    def __init__(
        self,
        now: int,
        load_room: Callable[[str], RoomState],
        find: Callable[[RoomState, Draft, str], Entry | None] | None,
    ) -> None:
        self._now = now
        self._load_room = load_room
        self._find = find
        self._known: dict[tuple[str, str, str], Entry] = {}
        self.rooms: dict[str, RoomState] = {}
        self.rows: list[Row] = []

    def add(self, draft: Draft) -> tuple[Entry, bool]:
        """Return the draft's entry, and whether it is new."""
        room = self.rooms.get(draft.room)
        if room is None:
            room = self.rooms[draft.room] = self._load_room(draft.room)
        if not draft.key:
            return self._number(room, draft, None), True
        folded = canonical(draft.user)
        name = (draft.room, folded, draft.key)
        known = self._known.get(name)
        if known is None and self._find:
            known = self._find(room, draft, folded)
        self._known[name] = known or self._number(room, draft, folded)
        return self._known[name], known is None

    def _number(self, room: RoomState, draft: Draft, folded: str | None) -> Entry:
        room.newest += 1
        room.at = max(room.at, self._now)
        key = draft.key or None
        self.rows.append((room.id, room.newest, room.at, draft.user, draft.message, folded, key))
        return Entry(draft.room, room.newest, room.at, draft.user, draft.message, draft.key)
