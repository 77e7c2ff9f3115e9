"""A damaged row makes its own room or name unavailable, and not the file."""

from __future__ import annotations

import logging
import sqlite3
import threading

import msgspec
import pytest
from support.chat import ChatHarness
from support.log_contract import ALL, DAY, Clock
from support.raw import eventually

from chatapp.chat.log import Draft, Retention
from chatapp.chat.people.holds import Hold
from chatapp.errors import Damaged, Unavailable
from chatapp.store.sqlite.check import check
from chatapp.store.sqlite.exporting import export
from chatapp.store.sqlite.log import SQLiteLog

SECRET = "a-text-of-a-client"
TEA = "(SELECT id FROM rooms WHERE name = 'tea')"
NOT_UTF8 = f"CAST(x'ff' || '{SECRET}' AS TEXT)"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.sqlite3"


@pytest.fixture
def make_log(path):
    made: list[SQLiteLog] = []

    def make(retention=ALL, clock=lambda: 1000.0) -> SQLiteLog:
        made.append(SQLiteLog(path, retention, clock=clock))
        return made[-1]

    yield make
    for log in made:
        log.close()


def change(path, statement: str) -> None:
    """Change the file as another program does, beside the server."""
    database = sqlite3.connect(path)
    with database:
        database.execute(statement)
    database.close()


def says(log: SQLiteLog) -> None:
    log.append(Draft("tea", "Ann", SECRET, "key-0002"))


def reads(log: SQLiteLog) -> None:
    log.read("tea")


def finds(log: SQLiteLog) -> None:
    log.find("tea", "Ann", "key-0001")


DAMAGES = {
    "newest is not a number": (f"UPDATE rooms SET newest = '{SECRET}' WHERE name = 'tea'", says),
    "time is not a number": (f"UPDATE rooms SET at = '{SECRET}' WHERE name = 'tea'", says),
    "newest is behind": ("UPDATE rooms SET newest = 0 WHERE name = 'tea'", says),
    "newest is too large": (f"UPDATE rooms SET newest = {2**63 - 1} WHERE name = 'tea'", says),
    "user is not a text, read": (f"UPDATE messages SET user = x'ff' WHERE room = {TEA}", reads),
    "user is not a text, found": (f"UPDATE messages SET user = x'ff' WHERE room = {TEA}", finds),
    "message is not UTF-8": (f"UPDATE messages SET message = {NOT_UTF8} WHERE room = {TEA}", reads),
    "message has no time": (f"UPDATE messages SET at = '{SECRET}' WHERE room = {TEA}", reads),
}


@pytest.mark.parametrize(("statement", "asks"), DAMAGES.values(), ids=DAMAGES)
def test_damage_of_room_affects_only_that_room(make_log, path, caplog, statement, asks):
    log = make_log()
    for room in ("tea", "lobby"):
        log.append(Draft(room, "Ann", "x", "key-0001"))
    log.close()
    change(path, statement)
    log = make_log()
    for n in range(10):
        with pytest.raises(Damaged):
            asks(log)
        assert log.available()
        assert log.append(Draft("lobby", "Ann", "x")).id == n + 2
        assert len(log.read("lobby", since=0).entries) == n + 2
    (line,) = caplog.messages
    assert line.startswith(f"{path}: the room tea ")
    assert not any(record.exc_info for record in caplog.records)
    assert SECRET not in caplog.text


def test_failed_message_does_not_fail_others_of_its_batch(make_log, path):
    log = make_log()
    for room in ("tea", "lobby"):
        log.append(Draft(room, "Ann", "x"))
    log.close()
    change(path, f"UPDATE rooms SET newest = '{SECRET}' WHERE name = 'tea'")
    log = make_log()
    log.open()
    heard: list[tuple[str, int]] = []
    log.subscribe(lambda batch: heard.extend((entry.room, entry.id) for entry in batch))
    rooms = ["tea", "cake", "lobby"] * 5
    failed: list[str] = []

    def append(room: str, n: int) -> None:
        try:
            log.append(Draft(room, "Ann", "x", f"key-{n:05}"))
        except Damaged:
            failed.append(room)

    with log._batches._writing:
        threads = [threading.Thread(target=append, args=(r, n)) for n, r in enumerate(rooms)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(log._batches._next_batch.drafts) == len(rooms))
    for thread in threads:
        thread.join()
    assert failed == ["tea"] * 5
    assert [each for each in heard if each[0] == "cake"] == [("cake", n) for n in range(1, 6)]
    assert [each for each in heard if each[0] == "lobby"] == [("lobby", n) for n in range(2, 7)]


def test_sweep_continues_after_damaged_room(make_log, path, caplog):
    clock = Clock(0.0)
    log = make_log(Retention(days=1), clock)
    for n in range(5):
        log.append(Draft(f"room-{n}", "Ann", "x"))
    change(path, f"UPDATE rooms SET newest = '{SECRET}' WHERE name = 'room-1'")
    change(path, f"UPDATE messages SET at = '{SECRET}' WHERE room = 3")
    clock.now = 2 * DAY
    log._sweep()
    database = sqlite3.connect(path)
    assert database.execute("SELECT room FROM messages").fetchall() == [(2,), (3,)]
    database.close()
    assert len(caplog.messages) == 2
    assert not any(record.exc_info for record in caplog.records)
    assert SECRET not in caplog.text


def test_damaged_hold_is_skipped_and_others_are_restored(make_log, path, caplog):
    log = make_log()
    for name in ("ann", "bo", "cy"):
        log.keep_hold(Hold(name, name.title(), b"t" * 32, ("tea",)), [])
    log.close()
    change(path, f"UPDATE holds SET user = {NOT_UTF8} WHERE folded = 'ann'")
    change(path, "UPDATE holds SET token = 5 WHERE folded = 'cy'")
    log = make_log()
    room = ChatHarness(log)
    room.chat.open()
    assert [hold.user for hold in log.holds()] == ["Bo"]
    assert room.names() == ["Bo"]
    assert len(caplog.messages) == 1
    assert SECRET not in caplog.text


def test_write_error_of_file_is_not_reported_as_damage(make_log, caplog):
    log = make_log()
    log.append(Draft("tea", "Ann", "x"))
    log._database.execute("PRAGMA query_only = 1")
    with pytest.raises(Unavailable) as refusal:
        log.append(Draft("tea", "Ann", "x"))
    assert not isinstance(refusal.value, Damaged)
    assert not log.available()
    assert "messages are refused until that is fixed" in caplog.text


def test_check_reports_values_of_wrong_type(make_log, path):
    log = make_log()
    for room in ("tea", "cake"):
        log.append(Draft(room, "Ann", "x"))
    log.close()
    change(path, f"UPDATE rooms SET newest = '{SECRET}' WHERE name = 'cake'")
    change(path, f"UPDATE messages SET user = x'ff' WHERE room = {TEA}")
    told: list[str] = []
    assert check(path, told.append) is None
    assert "the room cake has a newest number or a time that isn't a number" in told
    assert "the room tea has 1 messages with a value of a wrong type" in told


def test_export_skips_values_of_wrong_type(make_log, path):
    log = make_log()
    for room in ("tea", "cake"):
        for n in range(3):
            log.append(Draft(room, "Ann", f"message {n}"))
    log.close()
    change(path, f"UPDATE messages SET user = x'ff' WHERE room = {TEA} AND id = 2")
    told: list[str] = []
    lines = [msgspec.json.decode(line) for line in export(path, told.append)]
    messages = [(line["room"], line["id"]) for line in lines if line["kind"] == "message"]
    assert messages == [("cake", 1), ("cake", 2), ("cake", 3), ("tea", 1), ("tea", 3)]
    assert told == ["tea: the messages 2 to 2 can't be read"]


def test_read_error_of_file_is_logged_once(make_log, path, caplog):
    log = make_log()
    log.append(Draft("tea", "Ann", "x"))
    log._reader.close()
    log._reader._idle.clear()
    caplog.set_level(logging.ERROR)
    path.rename(path.with_name("elsewhere"))
    for _ in range(10):
        with pytest.raises(Unavailable):
            log.read("tea")
    assert len(caplog.messages) == 1
