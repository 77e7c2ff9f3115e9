"""Which names are equal, which are refused, and what is shown of the others."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from faker.providers import person
from hypothesis import given
from hypothesis import strategies as st

from chatapp.chat.people import names
from chatapp.chat.people.characters import check_marks
from chatapp.chat.people.names import canonical, display_form, keys
from chatapp.errors import NameInvalid

ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32)
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
PEOPLE = Path(names.__file__).parent


def are_equal(one: str, other: str) -> bool:
    return not {*keys(display_form(one))}.isdisjoint(keys(display_form(other)))


def is_refused(name: str) -> bool:
    try:
        display_form(name)
    except NameInvalid:
        return True
    return False


def equal_names() -> list[list[str]]:
    """Return the pairs of equal_names.txt."""
    text = Path(__file__).with_name("equal_names.txt").read_text(encoding="utf-8")
    text = re.sub(r"\\u\{([0-9a-f]+)\}", lambda found: chr(int(found[1], 16)), text)
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(("one", "other"), equal_names(), ids=ascii)
def test_names_that_look_alike_are_equal(one, other):
    assert one != other
    assert are_equal(one, other)


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


def test_tables_have_at_least_300_cases():
    assert len(equal_names()) + sum(map(len, REFUSED.values())) >= 450


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


def test_capital_and_small_nu_need_two_keys():
    """The capital looks like `N`, the small letter like `v`. `N` and `v` aren't equal."""
    greek = "\u039dina"
    assert are_equal(greek, "Nina")
    assert are_equal(greek, greek.lower())
    assert are_equal(greek.lower(), "vina")
    assert not are_equal("Nina", "vina")
    assert len(keys(greek)) == 2


@given(ASCII)
def test_ascii_name_has_its_case_folded_form_as_its_only_key(name):
    assert keys(display_form(name)) == (name.casefold(),)


def confusables() -> dict[str, str]:
    rows = (PEOPLE / "confusables.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    pairs = [row.split("\t") for row in rows if not row.startswith("#")]
    return {char: prototype for prototype, chars in pairs for char in chars}


def test_names_with_equal_skeletons_are_equal():
    """Either of UTS 39's skeletons: that of the case-folded name, or case-folded afterwards."""
    table = confusables()

    def skeleton(text: str) -> str:
        decomposed = unicodedata.normalize("NFD", text)
        found = "".join(table.get(char, char) for char in decomposed)
        return unicodedata.normalize("NFD", found)

    by_skeleton = defaultdict(list)
    every = {*table, *table.values(), *map(chr, range(33, 127))}
    every |= {char.casefold() for char in every} | {char.upper() for char in every}
    for name in {unicodedata.normalize("NFKC", name) for name in every}:
        by_skeleton["folded first", skeleton(name.casefold())].append(name)
        by_skeleton["folded last", skeleton(name).casefold()].append(name)
    assert len(by_skeleton) > 2000
    for alike in by_skeleton.values():
        assert {*keys(alike[0])}.intersection(*map(keys, alike)), alike


def test_capitals_are_in_the_table():
    table = confusables()
    found = {char: table[char] for char in "АВЕКМНОРСТХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"}
    assert "".join(found.values()) == "ABEKMHOPCTXIJSABEZHIKMNOPTYX"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Ann", "ann"),
        ("José", "jose\u0301"),
        ("Владимир", "ʙлaдᴎʍᴎp"),
        ("ТОМ", "ᴛoʍ"),
        ("Νίνα", "vi\u0301va"),
        ("İbo", "i\u0307bo"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
    ],
    ids=ascii,
)
def test_first_key_is_that_of_version_0_1(name, key):
    """Holds are stored by it, and the keys of messages."""
    assert canonical(display_form(name)) == key


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


# Real names


def real_names() -> dict[str, str]:
    """Return some 3,500 first and last names, each with its locale."""
    found: dict[str, str] = {}
    for module in iter_modules(person.__path__):
        provider = vars(import_module(f"{person.__name__}.{module.name}").Provider)
        kinds = ("first_names", "first_names_male", "first_names_female", "last_names")
        lists = [provider.get(kind) for kind in kinds]
        every = {name for names in lists if not isinstance(names, property) for name in names or ()}
        for name in sorted(every)[:: max(1, len(every) // 40)]:
            found.setdefault(name, module.name)
    return found


MISPLACED = {"र\u200cजितकार"}  # Nepali, with a non-joiner that doesn't follow a virama
LOOK_ALIKE = [{"اميرمهدي", "امیرمهدی"}]  # the Arabic and the Persian letter yeh


def test_real_names_are_allowed_and_stay_apart():
    found = real_names()
    assert len(found) > 3000
    assert len({*found.values()}) > 80
    assert {name for name in found if is_refused(name)} == MISPLACED
    by_key = defaultdict(set)
    for name in found.keys() - MISPLACED:
        for key in keys(display_form(name)):
            by_key[key].add(name)
    assert [alike for alike in by_key.values() if len(alike) > 1] == LOOK_ALIKE


# Properties

CHARACTERS = st.sampled_from(
    [char for pair in equal_names() for name in pair for char in name]
    + [char for group in REFUSED.values() for name in group for char in name]
)
NAMES = st.one_of(st.text(min_size=1, max_size=40), st.text(CHARACTERS, min_size=1, max_size=8))


@given(NAMES)
def test_display_form_is_its_own_display_form(name):
    if not is_refused(name):
        assert display_form(display_form(name)) == display_form(name)


@given(NAMES)
def test_keys_are_equal_to_themselves(name):
    if not is_refused(name):
        for key in keys(display_form(name))[1:]:
            assert keys(key) == (key,)


@given(NAMES)
def test_other_normal_forms_of_a_name_are_equal_or_refused(name):
    if not is_refused(name):
        for form in FORMS:
            other = unicodedata.normalize(form, name)
            assert is_refused(other) or are_equal(name, other)


@given(NAMES)
def test_other_normal_forms_of_a_refused_name_are_refused(name):
    if is_refused(name) and len(name) <= 8:  # 8 code points aren't too long in any form
        assert all(is_refused(unicodedata.normalize(form, name)) for form in FORMS)


@given(NAMES)
def test_names_that_differ_only_in_case_are_equal(name):
    if not is_refused(name) and not is_refused(name.casefold()):
        assert are_equal(name, name.casefold())


@given(NAMES)
def test_name_without_its_invisible_characters_is_equal(name):
    if not is_refused(name):
        rest = "".join(c for c in display_form(name) if not names.INVISIBLE.match(c))
        assert are_equal(name, rest)
