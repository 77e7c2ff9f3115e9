"""Rows as they are written and parsed. Another program may have changed them meanwhile."""

from __future__ import annotations

from chatapp.chat.log import Entry
from chatapp.chat.people.holds import Hold
from chatapp.store.sqlite.errors import DamagedRow

INSERT = "INSERT INTO messages (room, id, at, user, message, folded, key) VALUES "
ROW = "(?, ?, ?, ?, ?, ?, ?)"


def parse_entry(
    room: str, number: object, at: object, user: object, message: object, key: object
) -> Entry:
    """Return the entry of a row of `messages`.

    Raises:
        DamagedRow: a value has a type that the chat never writes there.
    """
    match number, at, user, message, key:
        case int(), int(), str(), str(), str() | None:
            return Entry(room, number, at, user, message, key or "")
    raise DamagedRow("a message has a value of a wrong type")


def parse_hold(folded: bytes, user: bytes, token: object, rooms: bytes) -> Hold:
    """Return the hold of a row of `holds`.

    Raises:
        DamagedRow: a value has a type that the chat never writes there, or isn't UTF-8.
    """
    if not isinstance(token, bytes):
        raise DamagedRow("a token is of a wrong type")
    try:
        return Hold(folded.decode(), user.decode(), token, tuple(rooms.decode().split()))
    except UnicodeDecodeError:
        raise DamagedRow("a text isn't UTF-8") from None
