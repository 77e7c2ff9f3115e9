"""Rooms: the rule for their names, and how many a client may be in."""

from __future__ import annotations

import re

LOBBY = "lobby"
"""The room that every client is in."""
ROOM = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A room's name, compared without case (docs/wire.md, Rooms)."""
MAX_ROOMS = 50
"""Rooms that a client may be in at once, the lobby included."""
