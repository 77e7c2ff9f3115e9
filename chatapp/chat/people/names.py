"""Names: the form that is shown, and which names are equal."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

from precis_i18n import get_profile

from chatapp.chat.people.characters import (
    FILLERS,
    INVISIBLE,
    check_marks,
    describe,
    drop_emoji_selectors,
    strip_invisible,
)
from chatapp.errors import NameInvalid

INPUT_BOUND = 256
"""Code points of an input that is examined: a security limit, as normalization costs time."""

PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
"""A name that the profiles don't change, case aside: visible ASCII with single spaces."""

SPACES = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
EDGES = re.compile(f"{SPACES.pattern}|[\u061c\u200b\u200e\u200f\u2060\u2066-\u2069\ufeff]")
"""A space or an invisible character that is often copied along with a name.

A name copied from the page may have directional isolates around it.
"""

JAMO = re.compile("([\u3131-\u3163\u3165-\u318e]+)")
"""Korean letters outside of syllables, as in ㅋㅋ. NFKC would make them parts of syllables."""

SOFT_DOT = re.compile("(?<=[ij])\u0307")
"""A dot above a letter that has one anyway (UTS 39, section 5.4)."""

MAX_ROUNDS = 8
"""Rounds of folding: a bound. Each character of the table is stable after 1."""

_freeform = get_profile("NicknameCasePreserved").base


def display_form(text: str, max_chars: int = 32) -> str:
    """Return the form of a name that is shown: trimmed, inner spaces joined, NFKC.

    Its case is kept. `max_chars` bounds the result, in code points (RFC 8266, section 2.3;
    docs/wire.md, Names).

    Raises:
        NameInvalid: it is empty, too long, or has characters that names can't have.
    """
    if len(text) > INPUT_BOUND:
        raise NameInvalid(f"The name is too long: {max_chars} characters are allowed.")
    if not PLAIN.fullmatch(text):
        return _prepare(text, max_chars)
    if len(text) > max_chars:
        raise NameInvalid(f"The name is too long: {max_chars} characters are allowed.")
    return text


@lru_cache(maxsize=256)  # a claim prepares its name several times
def _prepare(text: str, max_chars: int) -> str:
    """Return the shown form of any text (see `display_form`)."""
    shown = _normalize(_trim(drop_emoji_selectors(text)))
    if not shown:
        raise NameInvalid("The name is empty.")
    if len(shown) > max_chars:  # before it is examined, as NFKC makes it up to 18 times as long
        raise NameInvalid(f"The name is too long: {max_chars} characters are allowed.")
    rest = strip_invisible(shown)
    try:
        _freeform.enforce(rest)
    except UnicodeEncodeError as error:
        char = error.object[error.start]
        raise NameInvalid(f"The name has {describe(char)}, which names can't have.") from None
    if any(char in FILLERS for char in rest):
        raise NameInvalid("The name has a character that can't be seen.")
    check_marks(rest)
    if not visible(rest):
        raise NameInvalid("The name has nothing in it that can be seen.")
    return shown


def _trim(text: str) -> str:
    """Remove spaces and invisible characters at both ends, unless there is nothing else."""
    start, end = 0, len(text)
    while start < end and EDGES.match(text[start]):
        start += 1
    while start < end and EDGES.match(text[end - 1]):
        end -= 1
    return text[start:end] or text


def _normalize(text: str) -> str:
    """Apply NFKC, except to Korean letters, and make one space of several."""
    parts = JAMO.split(text.translate(_halfwidth_jamo()))
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    return SPACES.sub(" ", "".join(parts)).strip(" ")


@cache
def _halfwidth_jamo() -> dict[int, int]:
    """Return the letter for each halfwidth one."""
    found = {point: unicodedata.decomposition(chr(point)) for point in range(0xFFA1, 0xFFDD)}
    return {point: int(narrow.split()[1], 16) for point, narrow in found.items() if narrow}


def visible(text: str) -> bool:
    """Return whether `text` has a visible character: a letter, number, punctuation or symbol.

    Combining marks alone don't count.
    """
    return any(unicodedata.category(char)[0] in "LNPS" and char not in FILLERS for char in text)


@lru_cache(maxsize=4096)
def canonical(shown: str) -> str:
    """Return the key of a name: case is folded, then look-alikes are replaced.

    Case and width are folded (RFC 8266, section 2.4). Then each look-alike is replaced by its
    prototype (UTS 39, section 4). ASCII is kept, so that two ASCII names are equal only if their
    case-folded forms are. Held names are stored by this key.
    """
    return shown.lower() if PLAIN.fullmatch(shown) else _fold(shown)


@lru_cache(maxsize=4096)
def keys(shown: str) -> tuple[str, ...]:
    """Return the keys of a name. Two names are equal if they have a key in common.

    The first is `canonical(shown)`. The other is the key of what the name looks like: look-alikes
    are replaced before case is folded, and invisible characters are left out. One key isn't enough:
    a capital Nu of Greek looks like `N`, the small one like `v`, but `N` and `v` aren't equal.
    """
    if PLAIN.fullmatch(shown):
        return (shown.lower(),)
    folded, likeness = canonical(shown), _fold_likeness(shown)
    return (folded,) if folded == likeness else (folded, likeness)


def _fold(text: str) -> str:
    for _ in range(2):  # case folding may undo NFKC
        text = unicodedata.normalize("NFKC", text.casefold())
    return _skeleton(text).casefold()


def _fold_likeness(shown: str) -> str:
    """Return the key of what a name looks like."""
    folded = _skeleton(INVISIBLE.sub("", shown))
    for _ in range(MAX_ROUNDS):
        likeness = folded
        folded = SOFT_DOT.sub("", _fold(likeness))
        if folded == likeness:
            break
    return folded


def _skeleton(text: str) -> str:
    """Return `text` with each look-alike replaced by its prototype (UTS 39, section 4)."""
    skeleton = unicodedata.normalize("NFD", text).translate(_prototypes())
    return unicodedata.normalize("NFD", skeleton)


@cache
def _prototypes() -> dict[int, str]:
    """Return the prototype of each look-alike, from the table that `make vendor` generates."""
    table = Path(__file__).with_name("confusables.txt").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.rstrip("\n").split("\n") if not line.startswith("#"))
    return {ord(char): prototype for prototype, chars in rows for char in chars}
