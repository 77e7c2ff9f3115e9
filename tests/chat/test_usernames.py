"""Names: what is shown, what counts as the same, and who has which."""

from __future__ import annotations

import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

from chatapp.chat.people.names import fold, present, visible
from chatapp.chat.people.usernames import UsernameSet
from chatapp.errors import NameInvalid, NameTaken

names = st.text(min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Ann", "Ann"),
        ("  Ann  ", "Ann"),
        ("Ann   Lee", "Ann Lee"),
        ("Ａｎｎ", "Ann"),
        ("❤\ufe0f", "❤"),
        ("<b>Ann</b>", "<b>Ann</b>"),
        ("Jose\u0301", "José"),
        ("李", "李"),
        ("Ⅳ", "IV"),
    ],
)
def test_shown_form(given, shown):
    assert present(given) == shown


@pytest.mark.parametrize("name", ["", " ", "\u3000", "\ufe0f"])
def test_empty_name_is_refused(name):
    with pytest.raises(NameInvalid, match="empty"):
        present(name)


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\tb", "a\0", "\u202eabc", "a\u200bb", "a\u200d", "a\u2028", "a\ufffe", "\u2066a"],
)
def test_control_direction_and_invisible_characters_are_named(name):
    with pytest.raises(NameInvalid, match=r"U\+[0-9A-F]{4}"):
        present(name)


@pytest.mark.parametrize("name", ["\u0301", "\u2800", "a\u2800", "\U0001d159"])
def test_nothing_to_see_is_refused(name):
    with pytest.raises(NameInvalid, match="seen"):
        present(name)


def test_length_is_of_the_shown_form():
    assert present("x" * 32) == "x" * 32
    assert present("  " + "x" * 32) == "x" * 32
    with pytest.raises(NameInvalid, match="too long: 32"):
        present("x" * 33)
    with pytest.raises(NameInvalid, match="too long"):
        present("\ufdfa" * 2)  # NFKC makes 18 characters of each


def test_long_input_is_refused_unread():
    with pytest.raises(NameInvalid, match="too long"):
        present(" " * 256 + "a")


@pytest.mark.parametrize(
    "same",
    [
        ("Ann", "ann", "ANN", "Ａｎｎ", " ann "),
        ("Straße", "STRASSE", "strasse"),
        ("Ann Lee", "ann   lee"),
        ("paypal", "раураl", "PAYPAL"),
        ("max", "\U000118e3ax"),
        ("ΣΑΣ", "σας"),
        ("é", "e\u0301", "É"),
    ],
)
def test_the_same_name(same):
    assert len({fold(present(name)) for name in same}) == 1


@pytest.mark.parametrize(
    "pair", [("rn", "m"), ("1l", "ll"), ("O0", "OO"), ("I", "l"), ("a b", "ab")]
)
def test_ascii_names_that_differ(pair):
    assert fold(pair[0]) != fold(pair[1])


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32))
def test_ascii_names_are_the_same_only_if_case_folding_says_so(name):
    assert fold(present(name)) == name.casefold()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=32))
def test_ascii_names_are_what_the_profiles_make_of_them(name):
    try:
        shown = get_profile("NicknameCasePreserved").enforce(name)
    except UnicodeEncodeError:  # nothing but spaces
        with pytest.raises(NameInvalid):
            present(name)
        return
    assert present(name) == shown
    assert fold(shown) == get_profile("NicknameCaseMapped:CaseFold").enforce(name)


@given(names)
def test_present_shows_a_bounded_nfkc_name_or_refuses(name):
    try:
        shown = present(name)
    except NameInvalid:
        return
    assert 1 <= len(shown) <= 32
    assert visible(shown)
    assert shown == shown.strip()
    assert unicodedata.normalize("NFKC", shown) == shown
    assert not any(unicodedata.category(char).startswith("C") for char in shown)
    assert present(shown) == shown


@given(names)
def test_case_makes_no_other_name(name):
    try:
        shown, other = present(name), present(name.swapcase())
    except NameInvalid:
        return
    if name.swapcase().casefold() == name.casefold():
        assert fold(shown) == fold(other)


def test_claim_gives_a_name_to_one():
    usernames = UsernameSet()
    assert usernames.claim("Ann", "a").user == "Ann"
    with pytest.raises(NameTaken, match=r"^ANN username is taken! Try some other username\.$"):
        usernames.claim("ANN", "b")
    assert usernames.snapshot() == ["Ann"]


def test_refusal_says_the_name_as_it_was_asked_for():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    with pytest.raises(NameTaken, match=r"^  ann  username is taken!"):
        usernames.claim("  ann ", "b")


def test_second_name_frees_the_first():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    assert usernames.claim("Anna", "a").previous == "Ann"
    assert usernames.claim("Ann", "b").previous is None


def test_another_spelling_of_ones_own_name_is_a_rename():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    assert usernames.claim("ANN", "a")[:2] == ("ANN", "Ann")
    assert usernames.snapshot() == ["ANN"]


def test_a_refused_claim_changes_nothing():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    usernames.claim("Bo", "b")
    with pytest.raises(NameTaken):
        usernames.claim("ann", "b")
    with pytest.raises(NameInvalid):
        usernames.claim("", "b")
    assert usernames.snapshot() == ["Ann", "Bo"]


def test_release_frees_the_name_once():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    assert usernames.release("a") == "Ann"
    assert usernames.release("a") is None
    assert usernames.claim("ann", "b").user == "ann"


def test_snapshot_is_sorted_without_case():
    usernames = UsernameSet()
    for name in ("bo", "Ann", "cy", "Bob"):
        usernames.claim(name, name)
    assert usernames.snapshot() == ["Ann", "bo", "Bob", "cy"]


def test_fifty_threads_ask_for_one_name_and_one_gets_it():
    rounds, threads = 100, 50
    usernames = UsernameSet()
    barrier = threading.Barrier(threads)
    winners: list[int] = []

    def ask(holder: int) -> None:
        for _ in range(rounds):
            barrier.wait()
            try:
                usernames.claim("Ann", holder)
                winners.append(holder)
            except NameTaken:
                pass
            barrier.wait()
            usernames.release(holder)

    asking = [threading.Thread(target=ask, args=(n,)) for n in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(winners) == rounds
    assert usernames.snapshot() == []


def test_name_that_is_refused_as_too_long_is_not_remembered():
    """It may be 18 times as long as what was sent, once it's normalised."""
    before = fold.cache_info()
    with pytest.raises(NameInvalid, match="too long"):
        present("\ufdfa" * 255 + "a")
    assert fold.cache_info() == before
