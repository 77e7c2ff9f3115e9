"""Names: what is shown, what counts as the same, and who has which."""

from __future__ import annotations

import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

from chatapp.chat.people.names import canonical, display_form, visible
from chatapp.chat.people.usernames import Release, UsernameSet
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
def test_display_form_of_a_name(given, shown):
    assert display_form(given) == shown


@pytest.mark.parametrize("name", ["", " ", "\u3000", "\ufe0f"])
def test_empty_name_is_refused(name):
    with pytest.raises(NameInvalid, match="empty"):
        display_form(name)


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\tb", "a\0", "\u202eabc", "a\u200bb", "a\u200d", "a\u2028", "a\ufffe", "a\u2066b"],
)
def test_refusal_names_the_invisible_character(name):
    with pytest.raises(NameInvalid, match=r"U\+[0-9A-F]{4}"):
        display_form(name)


@pytest.mark.parametrize("name", ["\u0301", "\u2800", "a\u2800", "\U0001d159"])
def test_name_without_visible_characters_is_refused(name):
    with pytest.raises(NameInvalid, match="seen"):
        display_form(name)


def test_length_of_the_display_form_is_bounded():
    assert display_form("x" * 32) == "x" * 32
    assert display_form("  " + "x" * 32) == "x" * 32
    with pytest.raises(NameInvalid, match="too long: 32"):
        display_form("x" * 33)
    with pytest.raises(NameInvalid, match="too long"):
        display_form("\ufdfa" * 2)  # NFKC makes 18 characters of each


def test_long_input_is_refused_before_it_is_normalized():
    with pytest.raises(NameInvalid, match="too long"):
        display_form(" " * 256 + "a")


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
def test_names_that_look_alike_are_equal(same):
    assert len({canonical(display_form(name)) for name in same}) == 1


@pytest.mark.parametrize(
    "pair", [("rn", "m"), ("1l", "ll"), ("O0", "OO"), ("I", "l"), ("a b", "ab")]
)
def test_different_ascii_names_are_not_equal(pair):
    assert canonical(pair[0]) != canonical(pair[1])


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32))
def test_ascii_names_are_the_same_only_if_case_folding_says_so(name):
    assert canonical(display_form(name)) == name.casefold()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=32))
def test_fast_path_for_ascii_matches_the_profiles(name):
    try:
        shown = get_profile("NicknameCasePreserved").enforce(name)
    except UnicodeEncodeError:  # nothing but spaces
        with pytest.raises(NameInvalid):
            display_form(name)
        return
    assert display_form(name) == shown
    assert canonical(shown) == get_profile("NicknameCaseMapped:CaseFold").enforce(name)


@given(names)
def test_display_form_is_bounded_and_normalized(name):
    try:
        shown = display_form(name)
    except NameInvalid:
        return
    assert 1 <= len(shown) <= 32
    assert visible(shown)
    assert shown == shown.strip()
    assert unicodedata.normalize("NFKC", shown) == shown
    assert not any(unicodedata.category(char).startswith("C") for char in shown)
    assert display_form(shown) == shown


@given(names)
def test_names_that_differ_in_case_are_equal(name):
    try:
        shown, other = display_form(name), display_form(name.swapcase())
    except NameInvalid:
        return
    if name.swapcase().casefold() == name.casefold():
        assert canonical(shown) == canonical(other)


def names_taken(usernames: UsernameSet, *names: str) -> list[str]:
    """Return those of `names` that a new holder can't claim."""
    taken = []
    for name in names:
        try:
            usernames.claim(name, object())
        except NameTaken:
            taken.append(name)
    return taken


def test_claim_gives_a_name_to_one_holder():
    usernames = UsernameSet()
    assert usernames.claim("Ann", "a").user == "Ann"
    with pytest.raises(NameTaken, match=r"^ANN username is taken! Try some other username\.$"):
        usernames.claim("ANN", "b")
    assert usernames.release("b") == Release()


def test_refusal_has_the_name_as_requested():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    with pytest.raises(NameTaken, match=r"^  ann  username is taken!"):
        usernames.claim("  ann ", "b")


def test_claiming_a_second_name_releases_the_first():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    assert usernames.claim("Anna", "a").previous == "Ann"
    assert usernames.claim("Ann", "b").previous is None


def test_claiming_an_equal_name_renames_its_holder():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    assert usernames.claim("ANN", "a")[:2] == ("ANN", "Ann")
    assert names_taken(usernames, "Ann") == ["Ann"]


def test_refused_claim_changes_nothing():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    usernames.claim("Bo", "b")
    with pytest.raises(NameTaken):
        usernames.claim("ann", "b")
    with pytest.raises(NameInvalid):
        usernames.claim("", "b")
    assert names_taken(usernames, "Ann", "Bo") == ["Ann", "Bo"]
    assert usernames.release("b") == Release(user="Bo")


CYRILLIC, GREEK = "\u0412ob", "\u039dina"  # with a capital Ve and a capital Nu


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("Bob", [CYRILLIC]),
        (CYRILLIC, ["Bob", "\u0432ob"]),
        (GREEK, ["Nina", "vina", "\u03bdina"]),
        ("vina", [GREEK, "\u03bdina"]),
    ],
    ids=ascii,
)
def test_name_with_a_key_in_common_is_taken(name, others):
    usernames = UsernameSet()
    usernames.claim(name, "a")
    assert names_taken(usernames, *others) == others
    usernames.claim("Ann", "a")
    assert names_taken(usernames, name) == []


def test_released_name_frees_both_its_keys():
    usernames = UsernameSet()
    for _ in range(2):
        usernames.claim(GREEK, "a")
        usernames.release("a")
        usernames.claim("Nina", "a")
        usernames.claim("Vina", "b")
        usernames.release("a")
        usernames.release("b")


def test_own_name_cannot_be_spelled_like_anothers():
    usernames = UsernameSet()
    usernames.claim("Nina", "a")
    usernames.claim(GREEK.lower(), "b")
    with pytest.raises(NameTaken):
        usernames.claim(GREEK, "b")
    usernames.claim("Nora", "a")
    usernames.claim(GREEK, "b")
    assert names_taken(usernames, "Nina") == ["Nina"]
    usernames.claim(GREEK.lower(), "b")
    assert names_taken(usernames, "Nina") == []


def test_own_name_can_be_spelled_with_look_alikes():
    usernames = UsernameSet()
    usernames.claim("Bob", "a")
    assert usernames.claim(CYRILLIC, "a").previous == "Bob"
    assert usernames.claim("Bob", "a").previous == CYRILLIC
    assert names_taken(usernames, CYRILLIC) == [CYRILLIC]


def test_token_does_not_open_a_look_alike():
    usernames = UsernameSet()
    token = usernames.claim("Bob", "a", hold=True).token
    with pytest.raises(NameTaken):
        usernames.claim(CYRILLIC, "b", token)


def test_names_that_look_alike_are_given_to_one_client(room):
    bob = room.connects(CYRILLIC)
    for name in ("Bob", "BOB", "\u0432ob"):
        assert room.connects().tries(name) == "name_taken"
    bob.sets("\u0432ob")
    latin = room.connects("Bob")
    assert bob.tries(CYRILLIC) == "name_taken"
    latin.sets("Rob")
    bob.sets(CYRILLIC)
    assert latin.tries("Bob") == "name_taken"
    bob.goes()
    latin.sets("Bob")
    assert room.names() == ["Bob"]


def test_release_frees_the_name_once():
    usernames = UsernameSet()
    usernames.claim("Ann", "a")
    assert usernames.release("a") == Release(user="Ann")
    assert usernames.release("a") == Release()
    assert usernames.claim("ann", "b").user == "ann"


def test_one_of_fifty_threads_gets_a_name():
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
    assert names_taken(usernames, "Ann") == []


@pytest.mark.parametrize("names", [("Nina", GREEK), (GREEK, "Vina"), (CYRILLIC, "BOB")], ids=ascii)
def test_one_of_two_threads_gets_names_that_look_alike(names):
    rounds = 300
    usernames = UsernameSet()
    barrier = threading.Barrier(2)
    had: list[str] = []

    def ask(name: str) -> None:
        for _ in range(rounds):
            barrier.wait()
            try:
                usernames.claim(name, name)
                had.append(name)
            except NameTaken:
                pass
            barrier.wait()
            usernames.release(name)

    asking = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(had) == rounds
    assert names_taken(usernames, *names[:1]) == []


def test_name_refused_as_too_long_is_not_cached():
    """It may be 18 times as long as what was sent, once it's normalised."""
    before = canonical.cache_info()
    with pytest.raises(NameInvalid, match="too long"):
        display_form("\ufdfa" * 255 + "a")
    assert canonical.cache_info() == before
