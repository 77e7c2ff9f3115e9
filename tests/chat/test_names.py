"""Which names are equal, which are refused, and what is shown of the others."""

from __future__ import annotations

import pytest

from chatapp.chat.people import names
from chatapp.chat.people.names import display_form
from chatapp.errors import NameInvalid


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
