"""Taking the log out of a file, putting it into another, and looking whether one is sound.

As JSON lines: first what the log is, `{"chatapp": 1, "epoch": …}`; then for each room its newest
number and time, `{"room": …, "newest": …, "at": …}`, and after it its messages, oldest first,
`{"room": …, "id": …, "at": …, "user": …, "message": …, "key"?: …}`. Times are ms since 1970.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from chatapp.errors import StoreError
from chatapp.names import fold
from chatapp.store.database import Lease, check_version, connect, open_database, store_error
from chatapp.store.writer import transaction

FORMAT = 1
UNCHANGED = "nothing was imported"

INSERT = (
    "INSERT INTO messages (room, id, at, user, message, folded, key) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class Head(msgspec.Struct, forbid_unknown_fields=True):
    chatapp: int
    epoch: str


class RoomLine(msgspec.Struct, forbid_unknown_fields=True):
    room: str
    newest: int
    at: int


class MessageLine(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    room: str
    id: int
    at: int
    user: str
    message: str
    key: str = ""


def open_read_only(path: Path) -> sqlite3.Connection:
    """The file, for reading beside a server.

    Raises:
        StoreError: there is none, it isn't the chat's, or it can't be read.
    """
    if not path.exists():
        raise StoreError(f"{path} isn't there; set CHATAPP_STORE=sqlite:PATH to the chat's file")
    try:
        database = connect(path, read_only=True)
        check_version(path, database)
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    return database


def count_messages(path: Path) -> int:
    with closing(open_read_only(path)) as database:
        return int(database.execute("SELECT count(*) FROM messages").fetchone()[0])


def export(path: Path, room: str | None = None, since: int = 0) -> Iterator[bytes]:
    """The lines of the log at `path`, of one room or all; messages from `since` (ms) on.

    Raises:
        StoreError: see `open_read_only`; or it's found damaged on the way.
    """
    encode = msgspec.json.Encoder().encode
    with closing(open_read_only(path)) as database:
        try:
            database.execute("BEGIN")  # all that follows is of one moment
            (epoch,) = database.execute("SELECT epoch FROM store").fetchone()
            yield encode(Head(FORMAT, epoch))
            select = "SELECT id, name, newest, at FROM rooms WHERE ? IN (name, '') ORDER BY name"
            for number, name, newest, at in database.execute(select, (room or "",)).fetchall():
                yield encode(RoomLine(name, newest, at))
                messages = database.execute(
                    "SELECT id, at, user, message, key FROM messages WHERE room = ? AND at >= ? "
                    "ORDER BY id",
                    (number, since),
                )
                for message_id, said_at, user, message, key in messages:
                    yield encode(MessageLine(name, message_id, said_at, user, message, key or ""))
        except sqlite3.Error as error:
            raise store_error(path, error) from None


def import_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Fill the file at `path`, which is made or empty, with `lines`; how many messages these are.

    Raises:
        StoreError: it isn't empty, is served, or can't be written; or a line is wrong, which is
            named. Nothing has changed then.
    """
    lease = Lease(path, patience=0)
    try:
        with closing(open_database(path)) as database:
            if database.execute("SELECT count(*) FROM rooms").fetchone() != (0,):
                raise StoreError(
                    f"{path} isn't empty; set CHATAPP_STORE to a file that isn't there"
                )
            try:
                with transaction(database):
                    return _fill(database, lines)
            except sqlite3.Error as error:
                raise store_error(path, error) from None
    finally:
        lease.release()


def _fill(database: sqlite3.Connection, lines: Iterable[bytes]) -> int:
    reader = _Reader()
    count = 0
    for number, line in enumerate(lines, 1):
        try:
            count += _insert(database, reader.read(line), reader.rooms)
        except sqlite3.IntegrityError:
            raise StoreError(f"line {number}: its key was there already; {UNCHANGED}") from None
        except (ValueError, msgspec.MsgspecError) as error:
            raise StoreError(f"line {number}: {error}; {UNCHANGED}") from None
    if reader.before is None:
        raise StoreError(f"there is nothing to import; {UNCHANGED}")
    return count


def _insert(database: sqlite3.Connection, line: Head | RoomLine | MessageLine, room: int) -> int:
    if isinstance(line, Head):
        database.execute("UPDATE store SET epoch = ?", (line.epoch,))
    elif isinstance(line, RoomLine):
        database.execute(
            "INSERT INTO rooms VALUES (?, ?, ?, ?)", (room, line.room, line.newest, line.at)
        )
    else:
        folded = fold(line.user) if line.key else None
        said = (line.user, line.message, folded, line.key or None)
        database.execute(INSERT, (room, line.id, line.at, *said))
        return 1
    return 0


class _Reader:
    """Reads lines in their order; ValueError says what's wrong with one."""

    def __init__(self) -> None:
        self.rooms = 0
        self.before: Head | RoomLine | MessageLine | None = None
        self._room: RoomLine | None = None
        self._names: set[str] = set()

    def read(self, line: bytes) -> Head | RoomLine | MessageLine:
        if self.before is None:
            head = msgspec.json.decode(line, type=Head)
            if head.chatapp != FORMAT:
                raise ValueError(f"of format {head.chatapp}, not {FORMAT}")
            self.before = head
            return head
        if b'"message":' in line:
            self.before = self._read_message(msgspec.json.decode(line, type=MessageLine))
        else:
            self.before = self._read_room(msgspec.json.decode(line, type=RoomLine))
        return self.before

    def _read_room(self, room: RoomLine) -> RoomLine:
        if room.room in self._names:
            raise ValueError(f"the room {room.room!r} was there already")
        self.rooms += 1
        self._names.add(room.room)
        self._room = room
        return room

    def _read_message(self, message: MessageLine) -> MessageLine:
        before = self.before if isinstance(self.before, MessageLine) else None
        if self._room is None or message.room != self._room.room:
            raise ValueError("a message without its room's line before it")
        if not 1 <= message.id <= self._room.newest:
            raise ValueError(f"the number {message.id} isn't one of the room's")
        if before and message.id != before.id + 1:
            raise ValueError(f"the number {message.id} after {before.id}")
        if message.at > self._room.at or (before and message.at < before.at):
            raise ValueError(
                "its time is before that of the message before it, or after the room's"
            )
        return message


def check(path: Path, tell: Callable[[str], None]) -> bool:
    """Whether the file is sound; `tell` is called with each thing that is wrong.

    Raises:
        StoreError: it isn't the chat's, or can't be read at all.
    """
    sound = True
    with closing(open_read_only(path)) as database:
        try:
            for (found,) in database.execute("PRAGMA integrity_check(20)"):
                if found != "ok":
                    tell(found)
                    sound = False
            for wrong in _wrong_numbers(database):
                tell(wrong)
                sound = False
        except sqlite3.Error as error:
            tell(str(error))
            sound = False
    return sound


def _wrong_numbers(database: sqlite3.Connection) -> Iterator[str]:
    rooms = database.execute(
        "SELECT name, newest, min(m.id), max(m.id), count(m.id) FROM rooms "
        "LEFT JOIN messages m ON m.room = rooms.id GROUP BY rooms.id ORDER BY name"
    )
    for name, newest, first, last, count in rooms:
        if count and last - first + 1 != count:
            yield f"the room {name} has {count} messages from {first} to {last}: some are missing"
        if count and last != newest:
            yield f"the room {name} ends at {last}, and should at {newest}"
    orphans = database.execute(
        "SELECT count(*) FROM messages WHERE room NOT IN (SELECT id FROM rooms)"
    ).fetchone()[0]
    if orphans:
        yield f"{orphans} messages are of no room"
    backwards = database.execute(
        "SELECT count(*) FROM (SELECT at - lag(at, 1, 0) OVER (PARTITION BY room ORDER BY id) AS d"
        " FROM messages) WHERE d < 0"
    ).fetchone()[0]
    if backwards:
        yield f"{backwards} messages are older than the one before them"
