"""What a name is, which names count as the same, and who has which."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from precis_i18n import get_profile

from chatapp.errors import NameInvalid, NameTaken

INPUT_BOUND = 256
"""Input of more code points is refused unread: a security limit, as the rules below cost time."""

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


class Claim(NamedTuple):
    """What a claim came to: the name as shown, and the one given up for it, if any."""

    user: str
    previous: str | None


class UsernameSet:
    """Who has which name. Thread-safe; of any number of callers at once, one gets a name.

    `max_chars` bounds a name, in code points.
    """

    def __init__(self, max_chars: int = 32) -> None:
        self._max_chars = max_chars
        self._lock = Lock()
        self._holders: dict[str, Hashable] = {}
        self._names: dict[Hashable, str] = {}

    def claim(self, name: str, holder: Hashable) -> Claim:
        """Give `name` to `holder`, who gives up the one it had, in one step.

        Raises:
            NameInvalid: it can't be a name.
            NameTaken: someone else has it, or one that can't be told from it.
        """
        user = present(name, self._max_chars)
        folded = fold(user)
        with self._lock:
            if self._holders.get(folded, holder) != holder:
                raise NameTaken(name)
            previous = self._names.get(holder)
            if previous is not None:
                del self._holders[fold(previous)]
            self._holders[folded] = holder
            self._names[holder] = user
            return Claim(user, previous)

    def release(self, holder: Hashable) -> str | None:
        """Free the name that `holder` has, and return it; None if it has none."""
        with self._lock:
            user = self._names.pop(holder, None)
            if user is not None:
                del self._holders[fold(user)]
            return user

    def snapshot(self) -> list[str]:
        """All names, as shown, sorted without case."""
        with self._lock:
            names = list(self._names.values())
        return sorted(names, key=lambda name: (name.casefold(), name))
