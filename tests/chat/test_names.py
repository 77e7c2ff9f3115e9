"""Which names are equal, which are refused, and what is shown of the others."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from chatapp.chat.people import names
from chatapp.chat.people.characters import check_marks
from chatapp.chat.people.names import display_form
from chatapp.errors import NameInvalid

FORMS = ("NFC", "NFD", "NFKC", "NFKD")


REFUSED = {
    "a filler": [
        "\u3164",
        "Ann\u3164",
        "\u115fAnn",
        "An\u1160n",
        "Ann\uffa0",
        "\u2800",
        "Ann\ufffc",
    ],
    "a note, a hieroglyph or a letter that shows nothing": [
        *("Ann\U0001d159", "Ann\U00013441", "契\U00016fe4"),
    ],
    "a joiner at an end": [
        *("Ann\u200d", "\u200dAnn", "Ann\u200c", "\u200cAnn", "क\u094d\u200d", "क\u094d\u200c"),
        *("ක\u0dca\u200d", "محمد\u200c", "\u200cمحمد", "👩\u200d", "\u200d👩"),
    ],
    "a joiner without effect": [
        *("A\u200dnn", "A\u200cnn", "क\u200dष", "क\u094d\u200d\u200dष", "क\u094d\u200d ष"),
        *(
            "क\u094d\u200dA",
            "م\u200d\u200dد",
            "م\u200c\u200cد",
            "م\u200cA",
            "A\u200d👩",
            "👩\u200dA",
        ),
        *("👩\u200d\u200d💻", "م\u200c د", "ㅇ\u200dㅇ", "李\u200d李"),
    ],
    "a variation selector without effect": [
        *("A\U000e0100", "葛\U000e0100\U000e0101", "か\U000e0100", "\U000e0100葛", "葛\ufe00"),
        *("ᠠ\u180b", "A\ufe00"),
    ],
    "a mark of another script than its letter": [
        *("Ann\u0e4d", "A\u0eccnn", "Ann\u093c", "Ann\u064b", "क\u09bc", "क\u0e34", "ก\u093f"),
        *("Ann\u05b0", "Аn\u05bfn", "α\u064b", "李\u3099", "ა\u0e31", "A\u1039nn", "م\u05b0"),
        *("ש\u064e", "Ann\u3099", "Ann\u0b3c", "ক\u0a3c", "ก\u0eb4", "Ann\u102f", "က\u17b7"),
    ],
    "a mark that joins nothing": [
        *("က\u1039", "က\u1039\u1039က", "ក\u17d2", "ក\u17d2A", "ᨠ\u1a60", "ꯀ\uaaf6", "ⴰ\u2d7f"),
        *("𑄇\U00011133", "က\u1039 က", "\u1039က"),
    ],
    "a mark that lies on another": [
        *("Ann\u0301\u0301", "a\u0323\u0323b", "ก\u0e34\u0e34", "क\u093c\u093c", "م\u064e\u064e"),
        *("a\u0300\u0301\u0302\u0303\u0304", "a\u0323\u0331\u0324\u0325\u0330"),
    ],
    "a mark that can't be seen": ["A\u034fnn", "ក\u17b4", "ក\u17b5"],
    "a control or a format character": [
        *(
            "A\u200bnn",
            "A\u2060nn",
            "A\ufeffnn",
            "A\u00adnn",
            "A\u200enn",
            "A\u200fnn",
            "A\u061cnn",
        ),
        *(
            "A\u2066n\u2069n",
            "\u202eAnn",
            "Ann\u202c",
            "A\u202dnn",
            "A\x00nn",
            "A\nnn",
            "A\u2028nn",
        ),
        *("A\U000e0041nn", "A\u180enn", "A\ufff9nn", "A\U0001d173nn", "A\U000e0001nn"),
    ],
    "a part of a syllable": ["\u1100", "\u110b\u110b", "A\u1161", "가\u11a8\u11a8"],
    "nothing that can be seen": [
        "\u0301",
        "",
        " ",
        "\u200b",
        "\u2068\u2069",
        "\ufe0f",
        "\u200b\ufe0f ",
    ],
}


@pytest.mark.parametrize("name", [name for group in REFUSED.values() for name in group], ids=ascii)
def test_name_that_could_be_taken_for_another_is_refused(name):
    for form in (name, *(unicodedata.normalize(form, name) for form in FORMS)):
        with pytest.raises(NameInvalid):
            display_form(form)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("👩\u200d💻", "👩\u200d💻"),
        ("🏳️\u200d🌈", "🏳️\u200d🌈"),
        ("🏴\u200d☠️", "🏴\u200d☠️"),
        ("👩🏽\u200d❤️\u200d💋\u200d👨🏻", "👩🏽\u200d❤️\u200d💋\u200d👨🏻"),
        ("🙂\u200d↔️", "🙂\u200d↔️"),
        ("Ann 👩\u200d🚀", "Ann 👩\u200d🚀"),
        ("❤️", "❤"),
        ("葛\U000e0100", "葛\U000e0100"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("محمد\u200cرضا", "محمد\u200cرضا"),
        ("نرگس\u200cها", "نرگس\u200cها"),
        ("م\u064f\u200cح", "م\u064f\u200cح"),
        ("श्\u200dयाम", "श्\u200dयाम"),
        ("ශ්\u200dරී", "ශ්\u200dරී"),
        ("က္က", "က္က"),
        ("ខ្មែរ", "ខ្មែរ"),
        ("ㅇㅇ", "ㅇㅇ"),
        ("ㅋㅋㅋ", "ㅋㅋㅋ"),
        ("김ㅇㅇ", "김ㅇㅇ"),
        ("ﾷﾷ", "ㅇㅇ"),
        ("\u200bAnn\u200b", "Ann"),
        ("\u2068Ann\u2069", "Ann"),
        ("\u2067محمد\u2069", "محمد"),
        (" \u200e Ann Lee \u200f ", "Ann Lee"),
        ("\ufeffAnn", "Ann"),
        ("( ͡° ͜ʖ ͡°)", "( ͡° ͜ʖ ͡°)"),
    ],
    ids=ascii,
)
def test_display_form_keeps_what_a_script_needs(name, shown):
    assert display_form(name) == shown


@pytest.mark.parametrize(
    ("name", "char"),
    [
        ("A\u200bnn", "U+200B (ZERO WIDTH SPACE)"),
        ("A\u2068nn", "U+2068 (FIRST STRONG ISOLATE)"),
        ("Ann\u200d", "U+200D (ZERO WIDTH JOINER)"),
        ("Ann\u0e4d", "U+0E4D (THAI CHARACTER NIKHAHIT)"),
        ("က\u1039", "U+1039 (MYANMAR SIGN VIRAMA)"),
        ("a\u0323\u0323", "U+0323 (COMBINING DOT BELOW)"),
    ],
)
def test_refusal_names_the_character(name, char):
    with pytest.raises(NameInvalid, match=re.escape(char)):
        display_form(name)


def test_each_character_is_allowed_with_the_marks_that_it_consists_of():
    for point in range(sys.maxunicode + 1):
        if unicodedata.decomposition(chr(point)):
            check_marks(unicodedata.normalize("NFKC", chr(point)))


class Counter:
    """A string class that counts the characters that it examines."""

    def __init__(self) -> None:
        self.examined = 0

    def enforce(self, text: str) -> str:
        self.examined += len(text)
        return text


def test_name_that_is_too_long_when_normalized_is_not_examined(monkeypatch):
    counter = Counter()
    monkeypatch.setattr(names, "_freeform", counter)
    for chars in ("\ufdfa", "\u1f82", "e\u0301", "\U0001d160", "👩\u200d", "ㅇ", "क\u094d\u200d"):
        with pytest.raises(NameInvalid, match="too long: 32"):
            display_form((chars * 256)[:256])
    assert counter.examined == 0
    display_form("\ufdfa examined")
    assert counter.examined == 27
