"""The normal form of clients' addresses, and what connections are counted under."""

from __future__ import annotations

from collections import Counter

import pytest

from chatapp.transport.eio.http_errors import EngineHTTPError
from chatapp.transport.eio.limiter import BESIDE_SESSIONS, ConnectionLimiter
from chatapp.transport.http import addresses
from chatapp.transport.http.addresses import LOCAL, UNKNOWN, is_local, networks, normalize


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:40000", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:40000", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:40000", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("", LOCAL),
        ("<local>", LOCAL),
        ("unknown", UNKNOWN),
        ("_hidden", UNKNOWN),
        ("_SEVKISEK:4711", UNKNOWN),
        ("unix:", UNKNOWN),
        ("chat.example", UNKNOWN),
        ("192.0.2.256", UNKNOWN),
        ("192.0.2.01", UNKNOWN),
        ("3221225985", UNKNOWN),
        ("192.0.2.1:", UNKNOWN),
        ("192.0.2.1:x", UNKNOWN),
        ("[192.0.2.1]:40000", "192.0.2.1"),
        ("[2001:db8::1", UNKNOWN),
        ("2001:db8::1]:1", UNKNOWN),
        ("[]", UNKNOWN),
        ("%eth0", UNKNOWN),
        ("\N{ARABIC-INDIC DIGIT ONE}.0.0.1", UNKNOWN),
        ("::1%" + "e" * 8000, UNKNOWN),
        ("x" * 8000, UNKNOWN),
    ],
)
def test_address_has_one_normal_form(text, normal):
    assert normalize(text) == normal


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("::1", ("::/64", "::/48")),
        (UNKNOWN, (UNKNOWN,)),
        (LOCAL, (LOCAL,)),
    ],
)
def test_address_has_networks(address, expected):
    assert networks(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        (LOCAL, True),
        ("192.0.2.1", False),
        ("0.0.0.0", False),
        ("2001:db8::1", False),
        (UNKNOWN, False),
    ],
)
def test_loopback_and_unix_sockets_are_local(address, expected):
    assert is_local(address) is expected


def test_long_text_is_not_remembered():
    before = addresses._normalize.cache_info()
    assert normalize("1" * (addresses.MAX_CHARS + 1)) == UNKNOWN
    assert addresses._normalize.cache_info() == before


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.1", "192.0.2.1:40000"),
        ("192.0.2.1:1", "192.0.2.1:2"),
        ("2001:db8::1", "[2001:db8::1]:40000"),
        ("2001:db8::1", "2001:db8::ffff:2"),
        ("unknown", "_hidden"),
        ("unknown", "x" * 8000),
    ],
)
def test_forms_of_one_address_share_its_bounds(first, second):
    limiter = ConnectionLimiter(0, 1, Counter())
    limiter.enter(first)
    with pytest.raises(EngineHTTPError):
        limiter.enter(second)
    limiter.leave(second)
    limiter.enter(second)
    for _ in range(2 + BESIDE_SESSIONS):
        assert limiter.connect(first)
    assert not limiter.connect(second)
    limiter.disconnect(first)
    assert limiter.connect(second)


def test_networks_are_counted_apart():
    limiter = ConnectionLimiter(0, 1, Counter())
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", "unknown"):
        limiter.enter(address)
        assert limiter.connect(address)


def test_local_address_is_bounded_only_if_asked():
    for limit_loopback in (False, True):
        limiter = ConnectionLimiter(0, 1, Counter(), limit_loopback)
        limiter.enter("::ffff:127.0.0.1")
        if limit_loopback:
            with pytest.raises(EngineHTTPError):
                limiter.enter("127.0.0.1:40000")
        else:
            limiter.enter("127.0.0.1:40000")
