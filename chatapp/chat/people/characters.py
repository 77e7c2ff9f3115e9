"""Joiners and variation selectors: where in a name they are allowed."""

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

FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc\U0001d159\U00013441\U00013442")
"""Characters that are letters or symbols in Unicode, but show nothing."""

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
