"""Names that are held for their owners, and the tokens that take them over."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

TOKEN_BYTES = 16
"""128 random bits, as text of 22 characters."""


class Hold(Struct, frozen=True):
    """A name that is held, or will be when its holder is gone; `token`: the hash of its token."""

    folded: str
    user: str
    token: bytes
    rooms: tuple[str, ...] = ()


class Holds(Protocol):
    """Where holds are kept, beside the log (chat.log.Log)."""

    def holds(self) -> Sequence[Hold]: ...
    def keep_hold(self, hold: Hold | None, instead_of: Collection[Hold]) -> None: ...


def hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()


def is_token(token: str, kept: bytes) -> bool:
    """Whether this hash is its."""
    return hmac.compare_digest(hashed(token), kept)
