"""The chat's file: opened, brought up to date, and served by one process (SQLite)."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import time
from pathlib import Path

from chatapp.errors import StoreError

APPLICATION = (
    0x43484154  # "CHAT", in the file's header (sqlite.org/pragma.html#pragma_application_id)
)
BUSY_SECONDS = 5.0

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE store (epoch TEXT NOT NULL, trials INTEGER NOT NULL)",
        "CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        " newest INTEGER NOT NULL, at INTEGER NOT NULL)",
        "CREATE TABLE messages (room INTEGER NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL,"
        " user TEXT NOT NULL, message TEXT NOT NULL, folded TEXT, key TEXT,"
        " PRIMARY KEY (room, id)) WITHOUT ROWID",
        "CREATE UNIQUE INDEX keys ON messages (room, folded, key) WHERE key IS NOT NULL",
        "CREATE TABLE holds (folded TEXT PRIMARY KEY, user TEXT NOT NULL, token BLOB NOT NULL,"
        " rooms TEXT NOT NULL)",
    ),
)
"""What brings a file from the version of its place (0: new) to the next (PRAGMA user_version)."""

ERROR_HINTS = {
    "NOTADB": "is no database; set CHATAPP_STORE to another file",
    "CORRUPT": "is damaged; `chatapp check` says more, `chatapp export` saves what can be read",
    "READONLY": "can't be written; give the chat the right to, or another file by CHATAPP_STORE",
    "CANTOPEN": "can't be opened or made; give the chat the right to, or another file by "
    "CHATAPP_STORE",
    "FULL": "can't grow, as the disk is full; make room",
    "BUSY": "is locked by another program; end that one",
    "PERM": "may not be used; give the chat the right to, or another file by CHATAPP_STORE",
}


ROW_ERRORS = ("CONSTRAINT", "CORRUPT", "MISMATCH", "TOOBIG")
"""Errors that say something of the rows at hand only; of CORRUPT, the rest of the file tells."""
NOT_UTF8 = "Could not decode to UTF-8"


class DamagedRow(ValueError):
    """A row has what the chat doesn't write there. Its text is logged: no client chose any of it,
    except for a room's name."""


def is_row_error(error: sqlite3.Error | DamagedRow) -> bool:
    """Whether this is an error of the rows at hand, and not of the file."""
    if isinstance(error, DamagedRow):
        return True
    return error_name(error) in ROW_ERRORS or str(error).startswith(NOT_UTF8)


def error_text(error: Exception) -> str:
    """What is wrong, without the text of a row."""
    return str(error).partition(" with text ")[0]


def error_name(error: Exception) -> str:
    return str(getattr(error, "sqlite_errorname", "")).removeprefix("SQLITE_").partition("_")[0]


def store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """What's wrong with the file, in one line."""
    wrong = ERROR_HINTS.get(error_name(error)) or f"cannot be used: {error_text(error)}"
    return StoreError(f"{path} {wrong}")


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """A connection that may pass from thread to thread, each transaction of which is explicit.

    `mode`: sqlite.org/uri.html.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    database.execute("PRAGMA synchronous = FULL")
    return database


def open_read_only(path: Path) -> sqlite3.Connection:
    """The file, for reading beside a server.

    Raises:
        StoreError: there is none, it isn't the chat's, or it can't be read.
    """
    if not path.exists():
        raise StoreError(f"{path} isn't there; set CHATAPP_STORE=sqlite:PATH to the chat's file")
    try:
        try:
            database = connect(path, "ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or not os.access(path, os.R_OK):
                raise
            database = connect_immutable(path)
        version = check_version(path, database)
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    if version == 0:
        raise StoreError(f"{path} is empty; no chat has been kept in it")
    return database


def connect_immutable(path: Path) -> sqlite3.Connection:
    """A connection to a file beside which nothing can be made, as SQLite would to read its -wal
    (sqlite.org/wal.html, "Read-Only Databases"): it has to be without one.

    Raises:
        StoreError: it isn't.
    """
    path = path.resolve()
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreError(
            f"{path} can't be read where nothing can be written, as {wal.name} is part of it; copy "
            "both to another folder, and set CHATAPP_STORE to that"
        )
    return connect(path, "ro&immutable=1")


def open_database(path: Path) -> sqlite3.Connection:
    """The file at `path`, made if there is none in its folder, brought to this version.

    Raises:
        StoreError: it isn't the chat's, is newer than this program, or can't be used.
    """
    try:
        if not path.exists():
            path.touch(0o600)  # what people say is nobody else's to read; SQLite's others follow
        database = connect(path)
    except (OSError, sqlite3.Error) as error:
        raise store_error(path, error) from None
    try:
        migrate(path, database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA journal_size_limit = 67108864")
        read_samples(database)
    except sqlite3.Error as error:
        database.close()
        raise store_error(path, error) from None
    except StoreError:
        database.close()
        raise
    return database


def migrate(path: Path, database: sqlite3.Connection) -> None:
    """Bring the file to this version, all steps or none."""
    version = check_version(path, database)
    if version == len(MIGRATIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    for step in MIGRATIONS[version:]:
        for statement in step:
            database.execute(statement)
    if version == 0:
        database.execute("INSERT INTO store VALUES (?, 0)", (secrets.token_urlsafe(9),))
    database.execute(f"PRAGMA application_id = {APPLICATION}")
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    database.execute("COMMIT")


def check_version(path: Path, database: sqlite3.Connection) -> int:
    """The version of the file; 0 where it is empty.

    Raises:
        StoreError: it's another program's, or newer than this one.
    """
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION:
        raise StoreError(f"{path} is another program's database; set CHATAPP_STORE to another file")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} is of version {version}, newer than this chatapp's {len(MIGRATIONS)}; "
            "install the newer chatapp, or set CHATAPP_STORE to another file"
        )
    return int(version)


def read_samples(database: sqlite3.Connection) -> None:
    """Read a little of all that there is, and all the holds, so that damage shows at the start.
    What a row says isn't looked at: that is an error of its room or its name, later.

    Raises:
        sqlite3.DatabaseError: it's damaged.
    """
    database.text_factory = bytes  # else a text has to be UTF-8
    database.execute("SELECT epoch FROM store").fetchone()
    for whole in ("SELECT * FROM holds", "SELECT folded FROM holds ORDER BY folded"):  # its index
        for _ in database.execute(whole):
            pass
    for room, newest in database.execute("SELECT id, newest FROM rooms LIMIT 100").fetchall():
        ends = "SELECT * FROM messages WHERE room = ? AND id >= ? ORDER BY id LIMIT 1"
        database.execute(ends, (room, newest)).fetchone()
        database.execute(ends, (room, 0)).fetchone()
    database.text_factory = str


class FileLock:
    """The right to serve a file, which one process has at a time, for as long as it lives.

    A process that waits has at most `patience` seconds until another has left.
    """

    def __init__(self, path: Path, patience: float) -> None:
        path = path.resolve()  # two names of one file are one lease
        beside = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{beside} can't be made: {error.strerror}; give the chat the right to, or another "
                "file by CHATAPP_STORE"
            ) from None
        until = time.monotonic() + patience
        while not self._try_lock():
            if time.monotonic() > until:
                os.close(self._file)
                raise StoreError(
                    f"{path} is served by another process; end that one, or set CHATAPP_STORE to "
                    "another file, or to redis://… for several processes of one chat"
                )
            time.sleep(0.05)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        os.close(self._file)
