"""Rooms: the rule for their names, and how many a client may be in."""

from __future__ import annotations

import re

LOBBY = "lobby"
"""The room that every client is in."""
MAX_ROOM_CHARS = 64
ROOM_PATTERN = f"[a-z0-9_-]{{1,{MAX_ROOM_CHARS}}}"
"""A stored room name, as a regular expression of Python and of JavaScript."""
ROOM = re.compile(ROOM_PATTERN, re.ASCII | re.IGNORECASE)
"""A room's name as clients may write it, in any case (docs/wire.md, Rooms)."""
ROOM_RULE = f"A room's name is 1 to {MAX_ROOM_CHARS} letters, digits, - and _."
MAX_ROOMS = 50
"""Rooms that a client may be in at once, the lobby included."""
