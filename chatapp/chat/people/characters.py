"""Joiners, variation selectors and marks: where in a name they are allowed."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from pathlib import Path

from chatapp.errors import NameInvalid

ZWNJ, ZWJ, EMOJI_SELECTOR = "\u200c", "\u200d", "\ufe0f"
IDEOGRAPHIC_SELECTOR = "[\U000e0100-\U000e01ef]"
INVISIBLE = re.compile(f"[{ZWNJ}{ZWJ}{EMOJI_SELECTOR}]|{IDEOGRAPHIC_SELECTOR}")
"""Invisible characters that are allowed in some places, and ignored in comparing."""

FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc\U00016fe4\U0001d159\U00013441\U00013442")
"""Characters that are letters, marks or symbols in Unicode, but show nothing."""

STACKERS = frozenset(
    "\u1039\u17d2\u1a60\u1bab\u2d7f\uaaf6\U00010a3f\U0001107f\U00011133\U000113d0\U0001193e"
    "\U00011a47\U00011a99\U00011d45\U00011d97\U00011f42"
)
"""Marks that show nothing but join the letter or digit after them to the one before.

They are Indic_Syllabic_Category=Invisible_Stacker and Number_Joiner, and the Tifinagh joiner.
"""

CURSIVE = frozenset(
    {
        "Adlm",  # Adlam
        "Arab",  # Arabic
        "Chrs",  # Chorasmian
        "Mand",  # Mandaic
        "Mani",  # Manichaean
        "Mong",  # Mongolian
        "Nkoo",  # N'Ko
        "Ougr",  # Old Uyghur
        "Phag",  # Phags-pa
        "Phlp",  # Psalter Pahlavi
        "Rohg",  # Hanifi Rohingya
        "Sogd",  # Sogdian
        "Sogo",  # Old Sogdian
        "Syrc",  # Syriac
    }
)
"""Scripts whose letters are joined (Joining_Type)."""

MAX_MARKS = 4
"""Nonspacing marks in a row (UTS 39, section 5.4)."""

# A character of the blocks that have all emoji with joiners, then a selector or a skin tone.
_PICTOGRAPH = (
    "[\u2190-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
    f"[{EMOJI_SELECTOR}\U0001f3fb-\U0001f3ff]?"
)
_SEQUENCE_OR_SELECTOR = re.compile(
    f"({_PICTOGRAPH}(?:{ZWJ}{_PICTOGRAPH})+)|{EMOJI_SELECTOR}"  # UTS 51, ED-16
)


def drop_emoji_selectors(text: str) -> str:
    """Remove each U+FE0F that isn't within an emoji with joiners."""
    return _SEQUENCE_OR_SELECTOR.sub(r"\1", text)


def strip_invisible(text: str) -> str:
    """Remove the joiners and variation selectors of a name.

    Raises:
        NameInvalid: one of them has no effect where it is.
    """
    if not INVISIBLE.search(text):
        return text
    text = _SEQUENCE_OR_SELECTOR.sub(lambda found: INVISIBLE.sub("", found[0]), text)
    kept = []
    for index, char in enumerate(text):
        if not INVISIBLE.match(char):
            kept.append(char)
        elif not _has_effect(char, text[:index], text[index + 1 :]):
            raise NameInvalid(f"The name has {describe(char)}, which can't stand there.")
    return "".join(kept)


def _has_effect(char: str, before: str, after: str) -> bool:
    """Return whether an invisible character between `before` and `after` is of use.

    Joiners: RFC 5892, appendix A.1 and A.2. As Persian is typed so, a non-joiner may also follow a
    letter that isn't joined to the next one. Variation selectors: UTS 37.
    """
    if char not in (ZWNJ, ZWJ):
        return _is_letter(before[-1:], {"Hani"})
    if before and unicodedata.combining(before[-1]) == 9:  # a virama
        return _is_letter(after[:1], scripts_of(before[-1]))
    scripts = scripts_of(_without_marks(before)[-1:]) & CURSIVE
    return char == ZWNJ and all(
        _is_letter(letter, scripts)
        for letter in (_without_marks(before)[-1:], _without_marks(after)[:1])
    )


def _without_marks(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) not in ("Mn", "Me"))


def _is_letter(char: str, scripts: frozenset[str] | set[str]) -> bool:
    """Return whether `char` is a letter or digit of one of `scripts`."""
    return char != "" and unicodedata.category(char)[0] in "LN" and bool(scripts & scripts_of(char))


def check_marks(text: str) -> None:
    """Refuse marks of another script than their letter's, and marks that show nothing there.

    Raises:
        NameInvalid: there is such a mark.
    """
    decomposed = unicodedata.normalize("NFD", text)
    base: frozenset[str] = frozenset()
    marks: list[str] = []
    for index, char in enumerate(decomposed):
        category, scripts = unicodedata.category(char), scripts_of(char)
        if category[0] != "M":
            base, marks = scripts, []
            continue
        if scripts and base and not scripts & base:
            raise NameInvalid(f"The name has {describe(char)}, which isn't of its letter's script.")
        if char in STACKERS:
            after = decomposed[index + 1 : index + 2]
            if not (scripts & base and _is_letter(after, scripts)):
                raise NameInvalid(f"The name has {describe(char)}, which can't stand there.")
        if category != "Mc":
            if marks[-1:] == [char] or len(marks) == MAX_MARKS:
                raise NameInvalid(f"The name has {describe(char)} on too many other marks.")
            marks.append(char)


def describe(char: str) -> str:
    """Return the words for a character that can't be shown itself."""
    name = unicodedata.name(char, "")
    return f"the character U+{ord(char):04X}" + (f" ({name})" if name else "")


def scripts_of(char: str) -> frozenset[str]:
    """Return the scripts that use `char`: none if all may."""
    starts, ranges = _scripts()
    index = bisect_right(starts, ord(char)) - 1 if char else -1
    if index < 0 or ord(char) > ranges[index][0]:
        return frozenset()
    return ranges[index][1]


@cache
def _scripts() -> tuple[list[int], list[tuple[int, frozenset[str]]]]:
    """Return the start of each range in `scripts.txt`, and its end and scripts."""
    table = Path(__file__).with_name("scripts.txt").read_text(encoding="utf-8")
    found = []
    for line in table.splitlines():
        codes, _, ranges = line.partition("\t")
        scripts = frozenset(codes.split())
        for each in ranges.split():
            start, _, end = each.partition("-")
            found.append((int(start, 16), int(end or start, 16), scripts))
    found.sort(key=lambda one: one[0])
    return [start for start, _, _ in found], [(end, scripts) for _, end, scripts in found]
