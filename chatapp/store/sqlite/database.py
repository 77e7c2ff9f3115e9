"""Opens the chat's file, migrates it to this version, and runs transactions on it."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.errors import StoreError
from chatapp.store.sqlite.errors import store_error

APPLICATION = 0x43484154
"""`CHAT`, in the file's header (sqlite.org/pragma.html#pragma_application_id)."""
BUSY_SECONDS = 5.0
JOURNAL_BYTES = 67_108_864
"""The WAL file is truncated to this size after a checkpoint."""

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
"""Item N migrates a file from version N (0: empty) to N + 1 (PRAGMA user_version)."""


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Open a connection that any thread may use, in autocommit mode.

    `mode` is that of sqlite.org/uri.html, with further parameters after `&`.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    database.execute("PRAGMA synchronous = FULL")
    return database


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open the file for reading, which a server may use meanwhile.

    Raises:
        StoreError: the file doesn't exist, isn't the chat's, or can't be read.
    """
    if not path.exists():
        raise StoreError(f"{path} doesn't exist; set CHATAPP_STORE=sqlite:PATH to the chat's file")
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
        raise StoreError(f"{path} is empty; set CHATAPP_STORE=sqlite:PATH to the chat's file")
    return database


def connect_immutable(path: Path) -> sqlite3.Connection:
    """Open a file in a folder that can't be written.

    SQLite can't create its -shm file there, so the file must have no -wal file then
    (sqlite.org/wal.html, "Read-Only Databases").

    Raises:
        StoreError: it has one.
    """
    path = path.resolve()
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreError(
            f"{path} can't be read in a folder that can't be written, as {wal.name} is part of it; "
            "copy both to another folder and set CHATAPP_STORE to the copy"
        )
    return connect(path, "ro&immutable=1")


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file for writing; create it if necessary, and migrate it to this version.

    Raises:
        StoreError: it isn't the chat's, is newer than this program, or can't be used.
    """
    try:
        if not path.exists():
            path.touch(0o600)  # private; SQLite gives -wal and -shm the same mode
        database = connect(path)
    except (OSError, sqlite3.Error) as error:
        raise store_error(path, error) from None
    try:
        migrate(path, database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        read_samples(database)
    except sqlite3.Error as error:
        database.close()
        raise store_error(path, error) from None
    except StoreError:
        database.close()
        raise
    return database


def migrate(path: Path, database: sqlite3.Connection) -> None:
    """Migrate the file to this version, in one transaction."""
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
    """Return the version of the file; 0 if it is empty.

    Raises:
        StoreError: it belongs to another program, or is newer than this one.
    """
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION:
        raise StoreError(f"{path} is another program's database; set CHATAPP_STORE to another file")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} has version {version}, newer than this chatapp's {len(MIGRATIONS)}; "
            "install the newer chatapp, or set CHATAPP_STORE to another file"
        )
    return int(version)


def read_samples(database: sqlite3.Connection) -> None:
    """Read all holds and some messages, so that damaged pages are found at the start.

    Values aren't checked here. A wrong one is an error of its room or name when it is read.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    database.text_factory = bytes  # a text that isn't UTF-8 is not an error here
    database.execute("SELECT epoch FROM store").fetchone()
    for whole in (
        "SELECT * FROM holds",
        "SELECT folded FROM holds ORDER BY folded",
    ):
        for _ in database.execute(whole):
            pass
    for room, newest in database.execute("SELECT id, newest FROM rooms LIMIT 100").fetchall():
        ends = "SELECT * FROM messages WHERE room = ? AND id >= ? ORDER BY id LIMIT 1"
        database.execute(ends, (room, newest)).fetchone()
        database.execute(ends, (room, 0)).fetchone()
    database.text_factory = str


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, synced to the disk, or roll all of it back on an error."""
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
