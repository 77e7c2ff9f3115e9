"""Names that are held for their owners, and the tokens that take them over."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

TOKEN_BYTES = 16
"""Random bytes of a token, which is 22 characters of text."""


class Hold(Struct, frozen=True):
    """A name that is held, or will be when its holder's connection is lost.

    `folded`: the form that equal names share. `token`: the SHA-256 digest of its token. `rooms`:
    where it stays listed, the lobby aside.
    """

    folded: str
    user: str
    token: bytes
    rooms: tuple[str, ...] = ()


class Holds(Protocol):
    """The store of holds (chat.log.Log)."""

    def holds(self) -> Sequence[Hold]: ...
    def keep_hold(self, hold: Hold | None, instead_of: Collection[Hold]) -> None: ...


def hashed(token: str) -> bytes:
    """Return what is stored of a token."""
    return sha256(token.encode()).digest()


def is_token(token: str, kept: bytes) -> bool:
    """Return whether `kept` is the digest of `token`, in constant time."""
    return hmac.compare_digest(hashed(token), kept)
