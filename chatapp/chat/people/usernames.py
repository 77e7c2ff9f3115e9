"""The names of one process: who has which, and which are held for their owners.

The same rules for claiming, renaming, holding and taking over a name are in `roster.lua`, for a
Redis that several processes share. The tests of the rules run on both.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from msgspec import structs

from chatapp.chat.people.holds import TOKEN_BYTES, Hold, Holds, hashed, is_token
from chatapp.chat.people.names import canonical, display_form, keys
from chatapp.chat.people.records import Record, Records
from chatapp.errors import NameTaken, Unavailable


class Claim(NamedTuple):
    """The result of a claim.

    `user`: the name as it is shown. `previous`: the name that the holder gave up, as it was shown.
    `listed`: how `user` was shown while it was held or another client had it. `ousted`: the holder
    from whom the name was taken over. `token`: what takes the name over from now on; "" if the name
    is not to be held.
    """

    user: str
    previous: str | None
    listed: str | None
    ousted: Any
    token: str


class Release(NamedTuple):
    """The result of a disconnect.

    `user`: the name that is free now. `hold`: the hold of the name, if it is held instead. Neither
    is set if the holder had no name.
    """

    user: str | None = None
    hold: Hold | None = None


class UsernameSet:
    """Map each name to its holder. Thread-safe: if several claim a name, one gets it.

    Two names are equal if they have one of their `keys` in common (RFC 8266, section 2.4; UTS 39,
    section 4). `max_chars` bounds a name, in code points. `holds` stores the names to be held.
    """

    def __init__(self, max_chars: int = 32, holds: Holds | None = None) -> None:
        self._max_chars = max_chars
        self._holds = holds
        self._records = Records()
        self._names: dict[Hashable, str] = {}  # the folded name of each holder
        self._lock = threading.Lock()  # guards `_locks`
        self._locks: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def keys(self, name: str) -> tuple[str, ...]:
        """Return the keys of a requested name.

        Raises:
            NameInvalid: it can't be a name.
        """
        return keys(display_form(name, self._max_chars))

    @contextmanager
    def changing(self, holder: Hashable, *keys: str) -> Iterator[set[str]]:
        """Lock `keys`, the names that have one of them, and the name of `holder`. May be nested.

        Yield all that is locked.
        """
        while True:
            names, locked = self._names_to_lock(holder, keys), []
            try:
                for lock in map(self._lock_of, sorted(names)):  # one order: no deadlock
                    lock.acquire()
                    locked.append(lock)
                if names == self._names_to_lock(holder, keys):
                    yield names
                    return
            finally:
                for lock in locked:
                    lock.release()

    def _names_to_lock(self, holder: Hashable, keys: Iterable[str]) -> set[str]:
        names = self._records.names_like(keys)
        if (own := self._names.get(holder)) is not None:
            names.add(own)
        return names

    def _lock_of(self, folded: str) -> Any:
        with self._lock:
            return self._locks.setdefault(folded, threading.RLock())

    def restore(self) -> Iterator[Hold]:
        """Hold the names that were to be held when the process ended.

        A name that a client has claimed by now is left out. A hold that an older version stored
        under another key is stored again.

        Each hold is yielded while its name is locked.
        """
        store = self._holds
        for stored in store.holds() if store else []:
            hold = structs.replace(stored, folded=canonical(stored.user))
            with self.changing(None, *keys(hold.user)):
                is_free = self._records.get(hold.folded) is None
                if store and hold != stored:
                    with suppress(Unavailable):
                        store.keep_hold(hold if is_free else None, {stored})
                if is_free:
                    self._records.put(hold.folded, Record(hold.user, None, hold))
                    yield hold

    def claim(
        self,
        name: str,
        holder: Hashable,
        token: str = "",
        *,
        hold: bool = False,
        rooms: Iterable[str] = (),
    ) -> Claim:
        """Give `name` to `holder`, releasing the name it had before, in one atomic step.

        A valid `token` takes the name over from its holder. `hold`: hold the name when the holder's
        connection is lost, and store the `rooms` that it is in.

        Raises:
            NameInvalid: it can't be a name.
            NameTaken: another holder has it or an equal one, or it is held.
            Unavailable: the hold can't be stored now; nothing has changed.
        """
        user = display_form(name, self._max_chars)
        folded, *others = keys(user)
        with self.changing(holder, folded, *others) as names:
            present_record = self._records.get(folded)
            has_token = _opens(token, present_record)
            if present_record and present_record.holder != holder and not has_token:
                raise NameTaken(name)
            is_same = present_record is not None and present_record.user == user
            if len(names) > 1 and not is_same and self._is_like_another(names - {folded}, holder):
                raise NameTaken(name)
            new_token = ""
            if hold:
                new_token = token if has_token else secrets.token_urlsafe(TOKEN_BYTES)
            kept_rooms = {*rooms, *_rooms_of(present_record)}
            new_hold = (
                Hold(folded, user, hashed(new_token), tuple(sorted(kept_rooms))) if hold else None
            )
            return self._give(Record(user, holder, new_hold), folded, new_token)

    def _give(self, record: Record, folded: str, token: str) -> Claim:
        """Store `record`, in place of those of its name and of its holder's name before."""
        replaced = self._records.get(folded)
        own = self._names.get(record.holder)
        given_up = self._records.get(own) if own is not None else None
        self._keep(record.hold, replaced, given_up)
        if own is not None:
            self._records.remove(own)
        is_other = replaced is not None and replaced.holder != record.holder
        ousted = replaced.holder if replaced and is_other else None
        self._names.pop(ousted, None)
        self._records.put(folded, record)
        self._names[record.holder] = folded
        previous = given_up.user if given_up else None
        listed = replaced.user if replaced and is_other else None
        return Claim(record.user, previous, listed, ousted, token)

    def is_to_be_held(self, name: str) -> bool:
        """Return whether a client has `name` and it is to be held. Call it within `changing`."""
        record = self._records.get(canonical(name))
        return record is not None and record.holder is not None and record.hold is not None

    def remember_rooms(self, name: str, rooms: Iterable[str]) -> None:
        """Store the `rooms` that `name` is in, if a client has it and it is to be held.

        If they can't be stored now, the next change stores them.
        """
        folded = canonical(name)
        with self.changing(None, folded), suppress(Unavailable):
            record = self._records.get(folded)
            if record and record.holder is not None and record.hold:
                hold = structs.replace(record.hold, rooms=tuple(sorted(rooms)))
                self._keep(hold, record)
                self._records.put(folded, record._replace(hold=hold))

    def release(self, holder: Hashable) -> Release:
        """Free the name of `holder`, which has disconnected cleanly."""
        with self.changing(holder):
            folded = self._names.pop(holder, None)
            if folded is None:
                return Release()
            record = self._records.remove(folded)
            self._forget(record)
            return Release(user=record.user)

    def hold_or_release(self, holder: Hashable) -> Release:
        """Hold the name of `holder`, whose connection is lost, or free it."""
        with self.changing(holder):
            folded = self._names.get(holder)
            record = self._records.get(folded) if folded is not None else None
            if folded is None or record is None or record.hold is None:
                return self.release(holder)
            del self._names[holder]
            self._records.put(folded, record._replace(holder=None))
            return Release(hold=record.hold)

    def end_hold(self, hold: Hold) -> None:
        """Free the held name, unless its owner is back."""
        with self.changing(None, hold.folded):
            record = self._records.get(hold.folded)
            if record and record.holder is None and record.hold is hold:
                self._records.remove(hold.folded)
                self._forget(record)

    def _is_like_another(self, names: Iterable[str], holder: Hashable) -> bool:
        """Return whether one of `names` isn't of `holder`, but taken or held."""
        records = map(self._records.get, names)
        return any(record.holder != holder for record in records if record)

    def _keep(self, hold: Hold | None, *instead_of: Record | None) -> None:
        """Store `hold` in place of the holds of these records."""
        before = {record.hold for record in instead_of if record and record.hold}
        if self._holds and before != ({hold} if hold else set()):
            self._holds.keep_hold(hold, before)

    def _forget(self, record: Record) -> None:
        with suppress(Unavailable):  # then the name is held once more after a restart
            self._keep(None, record)


def _opens(token: str, record: Record | None) -> bool:
    """Return whether `token` takes over the name of `record`."""
    return bool(record and record.hold and is_token(token, record.hold.token))


def _rooms_of(record: Record | None) -> tuple[str, ...]:
    return record.hold.rooms if record and record.hold else ()
