"""WebSocket frames of a client, and messages that are counted without parsing."""

from __future__ import annotations

import os
import re

# A byte that a server sends only within a message's text, never in an id, an acknowledgement or a
# frame's length. A single byte can't be split over two reads.
MARK = b"|"
TAG = re.compile(rb"\|(\d{9})")  # sender (2 digits) and the number of its message
TAG_BYTES = 10
TEXT_BYTES = 64
FILLER = "it was a bright cold day in April, and the clocks were striking"
PING = b"\x81\x012"  # Engine.IO's, a text frame of one character


def tag(sender: int, number: int) -> bytes:
    """Return the tag of the message `number` of `sender`, which TAG finds."""
    return b"%02d%07d" % (sender, number)


def text(tagged: bytes) -> str:
    """Return a message of TEXT_BYTES with a tag."""
    return (MARK.decode() + tagged.decode() + " " + FILLER)[:TEXT_BYTES]


def frame(payload: bytes, key: bytes | None = None) -> bytes:
    """Encode a text frame of less than 64 KiB with a new mask (RFC 6455, section 5.3)."""
    key = key or os.urandom(4)
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    masked = int.from_bytes(payload, "big") ^ mask
    return head + key + masked.to_bytes(size, "big")


def count_across(wanted: bytes, tail: bytes, data: bytes) -> int:
    """Count `wanted` in `data`, including one that begins in `tail` and ends in `data`.

    `tail` is the end of the earlier data: at least `len(wanted) - 1` bytes, or all bytes after one
    that isn't in `wanted`.
    """
    found = data.count(wanted)
    if tail:
        reach = len(wanted) - 1
        found += (tail[-reach:] + data[:reach]).count(wanted)
    return found


def tags_across(tail: bytes, data: bytes) -> list[bytes]:
    """Return the tags in `data`, including one that begins in `tail` and ends in `data`."""
    return TAG.findall(tail[1 - TAG_BYTES :] + data)
