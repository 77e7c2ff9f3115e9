"""Who has which name, and which are held for their owners."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from msgspec import structs

from chatapp.chat.people.holds import TOKEN_BYTES, Hold, Holds, hashed, is_token
from chatapp.chat.people.names import fold, present
from chatapp.errors import NameTaken, Unavailable


class Claim(NamedTuple):
    """What a claim came to.

    `user`: the name as shown. `previous`: the one given up for it. `listed`: how it was shown while
    it was held, or was another's. `ousted`: the holder from whom it was taken. `token`: what takes
    it over from now on, if it's to be held.
    """

    user: str
    previous: str | None
    listed: str | None
    ousted: Any
    token: str


class _Record(NamedTuple):
    """Who has a name; nobody while it's held. `hold`: as it is kept, if it is to be held."""

    user: str
    holder: Hashable | None
    hold: Hold | None


class UsernameSet:
    """Who has which name. Thread-safe; of any number of callers at once, one gets a name.

    `max_chars` bounds a name, in code points. `holds` keeps those that are to be held.
    """

    def __init__(self, max_chars: int = 32, holds: Holds | None = None) -> None:
        self._max_chars = max_chars
        self._holds = holds
        self._records: dict[str, _Record] = {}
        self._names: dict[Hashable, str] = {}  # folded
        self._lock = threading.Lock()  # of `_locks`
        self._locks: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def folded(self, name: str) -> str:
        """What the name that is asked for has in common with those that count as the same.

        Raises:
            NameInvalid: it can't be a name.
        """
        return fold(present(name, self._max_chars))

    @contextmanager
    def changing(self, holder: Hashable, *folded: str) -> Iterator[None]:
        """Nobody else changes within who has these names, or the one that `holder` has; whoever
        wants to, waits. May be nested."""
        while True:
            own = self._names.get(holder)
            with ExitStack() as locks:
                for each in sorted(
                    {*folded, *([own] if own is not None else [])}
                ):  # in this order, so that none waits round
                    locks.enter_context(self._lock_of(each))
                if own == self._names.get(holder):
                    yield
                    return

    def _lock_of(self, folded: str) -> Any:
        with self._lock:
            return self._locks.setdefault(folded, threading.RLock())

    def restore(self) -> Iterator[Hold]:
        """Hold what was to be held when the process ended, and isn't somebody's again by now;
        these are the names, each within `changing`."""
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
        """Give `name` to `holder`, who gives up the one it had, in one step.

        A `token` that fits takes the name over from whoever has it. `hold`: the name is to be held
        when its holder's connection breaks; with it are kept the `rooms` that it's in.

        Raises:
            NameInvalid: it can't be a name.
            NameTaken: someone else has it, or one that can't be told from it.
            Unavailable: it can't be kept just now that it is to be held.
        """
        user = present(name, self._max_chars)
        folded = fold(user)
        with self.changing(holder, folded):
            there = self._records.get(folded)
            fits = bool(there and there.hold and is_token(token, there.hold.token))
            if there and there.holder != holder and not fits:
                raise NameTaken(name)
            old = self._names.get(holder)
            given_up = self._records[old] if old is not None else None
            new_token = (token if fits else secrets.token_urlsafe(TOKEN_BYTES)) if hold else ""
            its_rooms = {*rooms, *(there.hold.rooms if there and there.hold else ())}
            kept = Hold(folded, user, hashed(new_token), tuple(sorted(its_rooms))) if hold else None
            self._keep(kept, there, given_up)
            if old is not None:
                del self._records[old]
            ousted = there.holder if there and there.holder != holder else None
            self._names.pop(ousted, None)
            self._records[folded] = _Record(user, holder, kept)
            self._names[holder] = folded
        listed = there.user if there and there.holder != holder else None
        return Claim(user, given_up.user if given_up else None, listed, ousted, new_token)

    def is_to_be_held(self, name: str) -> bool:
        """Whether someone has the name and it is to be held. To be asked within `changing`."""
        record = self._records.get(fold(name))
        return record is not None and record.holder is not None and record.hold is not None

    def remember_rooms(self, name: str, rooms: Iterable[str]) -> None:
        """Keep with `name` that it's in `rooms`, if someone has it and it is to be held; where that
        can't be kept just now, it will be at the next change."""
        folded = fold(name)
        with self.changing(None, folded), suppress(Unavailable):
            record = self._records.get(folded)
            if record and record.holder is not None and record.hold:
                hold = structs.replace(record.hold, rooms=tuple(sorted(rooms)))
                self._keep(hold, record)
                self._records[folded] = record._replace(hold=hold)

    def release(self, holder: Hashable) -> str | None:
        """Free the name that `holder` has, and return it; None if it has none."""
        with self.changing(holder):
            folded = self._names.pop(holder, None)
            if folded is None:
                return None
            record = self._records.pop(folded)
            self._forget(record)
            return record.user

    def break_off(self, holder: Hashable) -> str | Hold | None:
        """The connection of `holder` is broken: its name, free by now, or the hold that is on it
        from now on; None if it has none."""
        with self.changing(holder):
            folded = self._names.get(holder)
            record = self._records[folded] if folded is not None else None
            if record and record.hold and folded is not None:
                del self._names[holder]
                self._records[folded] = record._replace(holder=None)
                return record.hold
            return self.release(holder)

    def end_hold(self, hold: Hold) -> None:
        """Free the name, unless its owner has come back."""
        with self.changing(None, hold.folded):
            record = self._records.get(hold.folded)
            if record and record.holder is None and record.hold is hold:
                del self._records[hold.folded]
                self._forget(record)

    def snapshot(self) -> list[str]:
        """All names, as shown, sorted without case."""
        names = [record.user for record in list(self._records.values())]
        return sorted(names, key=lambda name: (name.casefold(), name))

    def _keep(self, hold: Hold | None, *instead_of: _Record | None) -> None:
        """Keep `hold` in place of what is kept for these."""
        before = {record.hold for record in instead_of if record and record.hold}
        if self._holds and before != ({hold} if hold else set()):
            self._holds.keep_hold(hold, before)

    def _forget(self, record: _Record) -> None:
        with suppress(Unavailable):  # after a restart it's held once more, that is all
            self._keep(None, record)
