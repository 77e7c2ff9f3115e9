"""The names of one process: who has which, and which are held for their owners.

The same rules for claiming, renaming, holding and taking over a name are in `roster.lua`, for a
Redis that several processes share. The tests of the rules run on both.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from msgspec import structs

from chatapp.chat.people.holds import TOKEN_BYTES, Hold, Holds, hashed, is_token
from chatapp.chat.people.names import canonical, display_form
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


class _Record(NamedTuple):
    """A name's holder, None while the name is held, and the hold that is kept for it, if any."""

    user: str
    holder: Hashable | None
    hold: Hold | None


class UsernameSet:
    """Map each name to its holder. Thread-safe: if several claim a name, one gets it.

    Two names are equal if `canonical` maps them to the same form (RFC 8266, section 2.4; UTS 39,
    section 4). `max_chars` bounds a name, in code points. `holds` stores the names to be held.
    """

    def __init__(self, max_chars: int = 32, holds: Holds | None = None) -> None:
        self._max_chars = max_chars
        self._holds = holds
        self._records: dict[str, _Record] = {}  # by the folded name
        self._names: dict[Hashable, str] = {}  # the folded name of each holder
        self._lock = threading.Lock()  # guards `_locks`
        self._locks: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def folded(self, name: str) -> str:
        """Return the form of a requested name that equal names share.

        Raises:
            NameInvalid: it can't be a name.
        """
        return canonical(display_form(name, self._max_chars))

    @contextmanager
    def changing(self, holder: Hashable, *folded: str) -> Iterator[None]:
        """Lock the names `folded` and the one that `holder` has. May be nested."""
        while True:
            own = self._names.get(holder)
            names = {*folded, own} if own is not None else {*folded}
            with ExitStack() as locks:
                for each in sorted(names):  # one order for all, so that there is no deadlock
                    locks.enter_context(self._lock_of(each))
                if own == self._names.get(holder):
                    yield
                    return

    def _lock_of(self, folded: str) -> Any:
        with self._lock:
            return self._locks.setdefault(folded, threading.RLock())

    def restore(self) -> Iterator[Hold]:
        """Hold the names that were to be held when the process ended.

        A name that a client has claimed by now is left out.

        Each hold is yielded while its name is locked.
        """
        for hold in self._holds.holds() if self._holds else []:
            with self.changing(None, hold.folded):
                if hold.folded not in self._records:
                    self._records[hold.folded] = _Record(hold.user, None, hold)
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
        folded = canonical(user)
        with self.changing(holder, folded):
            present_record = self._records.get(folded)
            has_token = _opens(token, present_record)
            if present_record and present_record.holder != holder and not has_token:
                raise NameTaken(name)
            new_token = ""
            if hold:
                new_token = token if has_token else secrets.token_urlsafe(TOKEN_BYTES)
            kept_rooms = {*rooms, *_rooms_of(present_record)}
            new_hold = (
                Hold(folded, user, hashed(new_token), tuple(sorted(kept_rooms))) if hold else None
            )
            return self._give(_Record(user, holder, new_hold), folded, new_token)

    def _give(self, record: _Record, folded: str, token: str) -> Claim:
        """Store `record`, in place of those of its name and of its holder's name before."""
        replaced = self._records.get(folded)
        own = self._names.get(record.holder)
        given_up = self._records[own] if own is not None else None
        self._keep(record.hold, replaced, given_up)
        if own is not None:
            del self._records[own]
        is_other = replaced is not None and replaced.holder != record.holder
        ousted = replaced.holder if replaced and is_other else None
        self._names.pop(ousted, None)
        self._records[folded] = record
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
                self._records[folded] = record._replace(hold=hold)

    def release(self, holder: Hashable) -> Release:
        """Free the name of `holder`, which has disconnected cleanly."""
        with self.changing(holder):
            folded = self._names.pop(holder, None)
            if folded is None:
                return Release()
            record = self._records.pop(folded)
            self._forget(record)
            return Release(user=record.user)

    def hold_or_release(self, holder: Hashable) -> Release:
        """Hold the name of `holder`, whose connection is lost, or free it."""
        with self.changing(holder):
            folded = self._names.get(holder)
            record = self._records[folded] if folded is not None else None
            if folded is None or record is None or record.hold is None:
                return self.release(holder)
            del self._names[holder]
            self._records[folded] = record._replace(holder=None)
            return Release(hold=record.hold)

    def end_hold(self, hold: Hold) -> None:
        """Free the held name, unless its owner is back."""
        with self.changing(None, hold.folded):
            record = self._records.get(hold.folded)
            if record and record.holder is None and record.hold is hold:
                del self._records[hold.folded]
                self._forget(record)

    def _keep(self, hold: Hold | None, *instead_of: _Record | None) -> None:
        """Store `hold` in place of the holds of these records."""
        before = {record.hold for record in instead_of if record and record.hold}
        if self._holds and before != ({hold} if hold else set()):
            self._holds.keep_hold(hold, before)

    def _forget(self, record: _Record) -> None:
        with suppress(Unavailable):  # then the name is held once more after a restart
            self._keep(None, record)


def _opens(token: str, record: _Record | None) -> bool:
    """Return whether `token` takes over the name of `record`."""
    return bool(record and record.hold and is_token(token, record.hold.token))


def _rooms_of(record: _Record | None) -> tuple[str, ...]:
    return record.hold.rooms if record and record.hold else ()
