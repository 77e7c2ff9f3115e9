"""Errors of SQLite: of the whole file or only of rows, and what to do about them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from chatapp.errors import StoreError

ERROR_HINTS = {
    "NOTADB": "is not a database; set CHATAPP_STORE to another file",
    "CORRUPT": "is damaged; run `chatapp check` for details and `chatapp export` to save what can "
    "be read",
    "READONLY": "can't be written; give the chat write permission, or set CHATAPP_STORE to another "
    "file",
    "CANTOPEN": "can't be opened or created; give the chat permission, or set CHATAPP_STORE to "
    "another file",
    "FULL": "can't grow, as the disk is full; free some space",
    "BUSY": "is locked by another program; end that program",
    "PERM": "can't be accessed; give the chat permission, or set CHATAPP_STORE to another file",
}
"""The end of the log line for each primary result code (sqlite.org/rescode.html)."""
ROW_ERRORS = ("CONSTRAINT", "CORRUPT", "MISMATCH", "TOOBIG")
"""Result codes that may concern only the rows at hand. For CORRUPT, a test write tells."""
NOT_UTF8 = "Could not decode to UTF-8"


class DamagedRow(ValueError):
    """A row has a value that the chat never writes.

    The text is logged, so it contains nothing that a client chose, except for a room's name.
    """


def is_row_error(error: sqlite3.Error | DamagedRow) -> bool:
    """Return whether an error concerns only the rows at hand, and not the file."""
    if isinstance(error, DamagedRow):
        return True
    return error_name(error) in ROW_ERRORS or str(error).startswith(NOT_UTF8)


def error_text(error: Exception) -> str:
    """Return the text of an error without the text of a row."""
    return str(error).partition(" with text ")[0]


def error_name(error: Exception) -> str:
    """Return SQLite's primary result code, such as `BUSY`; empty for another error."""
    return str(getattr(error, "sqlite_errorname", "")).removeprefix("SQLITE_").partition("_")[0]


def store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return the line for the operator that names the file, the fault and the remedy."""
    hint = ERROR_HINTS.get(error_name(error))
    return StoreError(
        f"{path} {hint}"
        if hint
        else f"{path} can't be used ({error_text(error)}); set "
        "CHATAPP_STORE to another file, or repair this one"
    )
