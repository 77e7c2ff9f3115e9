"""The log on SQLite: its contract, its file, and the errors of a wrong file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress

import pytest
from support.log_contract import ALL, DAY, Clock, LogContract

from chatapp.chat.log import Draft, Retention
from chatapp.chat.people.names import canonical
from chatapp.chat.people.usernames import UsernameSet
from chatapp.errors import StoreError, Unavailable
from chatapp.store.batch import Batches
from chatapp.store.sqlite.check import check
from chatapp.store.sqlite.database import MIGRATIONS
from chatapp.store.sqlite.log import SWEEP_PAUSE, SQLiteLog
from chatapp.store.sqlite.writer import transaction


@pytest.fixture
def make_log(tmp_path):
    made: list[SQLiteLog] = []

    def make(retention=ALL, clock=lambda: 1000.0, path=None, **options):
        path = path or tmp_path / f"{len(made)}.sqlite3"
        made.append(SQLiteLog(path, retention, clock=clock, **options))
        return made[-1]

    yield make
    for log in made:
        log.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.sqlite3"


class TestSQLiteLog(LogContract):
    @pytest.fixture
    def make_log(self, make_log):
        return make_log


def rows(path, query: str) -> list:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_entries_and_keys_survive_restart(make_log, path):
    first = make_log(path=path)
    entry = first.append(Draft("tea", "Ann", "\0 <b> 😀", "key-0001"))
    first.close()
    again = make_log(path=path)
    assert again.epoch == first._epoch
    assert again.read("tea").entries == [entry]
    assert again.append(Draft("tea", "ANN", "y", "key-0001")) == entry
    assert again.append(Draft("tea", "Ann", "y")).id == 2


def test_hold_under_a_key_of_an_earlier_version_is_stored_under_todays(make_log, path):
    first = make_log(path=path)
    token = UsernameSet(holds=first).claim("Владимир", "a", hold=True).token
    first.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE holds SET folded = 'old key'")
    again = make_log(path=path)
    names = UsernameSet(holds=again)
    assert [hold.user for hold in names.restore()] == ["Владимир"]
    assert names.claim("Владимир", "b", token, hold=True).token == token
    assert rows(path, "SELECT folded FROM holds") == [(canonical("Владимир"),)]
    names.release("b")
    assert rows(path, "SELECT * FROM holds") == []


def test_numbers_and_times_go_on_after_all_expired(make_log, path):
    clock = Clock(100 * DAY)
    first = make_log(Retention(days=1), clock, path, sweep_interval=0.01)
    first.append(Draft("tea", "Ann", "x"))
    clock.now += 2 * DAY
    while rows(path, "SELECT * FROM messages"):
        pass
    first.close()
    clock.now = 0.0
    again = make_log(path=path, clock=clock)
    entry = again.append(Draft("tea", "Ann", "x"))
    assert (entry.id, entry.at) == (2, 100 * DAY * 1000)


def test_expired_messages_are_deleted_between_appends(make_log, path, monkeypatch):
    monkeypatch.setattr("chatapp.store.sqlite.sweeping.SWEEP_BATCH", 7)
    log = make_log(Retention(messages=3), path=path, sweep_interval=0.01)
    for n in range(40):
        log.append(Draft(f"room-{n % 2}", "Ann", "x"))
    while len(rows(path, "SELECT * FROM messages")) > 6:
        pass
    kept = rows(path, "SELECT id FROM messages ORDER BY id")
    assert kept == [(18,), (18,), (19,), (19,), (20,), (20,)]
    assert log.append(Draft("room-0", "Ann", "x")).id == 21


def test_sweep_pauses_after_each_step(make_log, path, monkeypatch):
    monkeypatch.setattr("chatapp.store.sqlite.sweeping.SWEEP_BATCH", 7)
    log = make_log(Retention(messages=3), path=path, sweep_interval=0.02)
    wait, waits = log._closed.wait, []
    monkeypatch.setattr(log._closed, "wait", lambda seconds: waits.append(seconds) or wait(seconds))
    for _ in range(40):
        log.append(Draft("lobby", "Ann", "x"))
    while len(rows(path, "SELECT * FROM messages")) > 3:
        pass
    log.close()
    assert waits.count(SWEEP_PAUSE) >= 37 // 7


def test_settings_make_writes_durable(make_log, path):
    log = make_log(path=path)
    log.open()
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2)):
        assert log._database.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_folder_is_created(make_log, tmp_path):
    path = tmp_path / "not" / "there" / "chat.sqlite3"
    make_log(path=path).open()
    assert path.exists()


def test_files_are_private(make_log, path):
    make_log(path=path).append(Draft("lobby", "Ann", "x"))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_file_is_created_at_first_use(make_log, path):
    log = make_log(path=path)
    assert not path.exists()
    assert log.read("lobby").entries == []
    assert path.exists()


def test_second_server_of_file_is_refused(make_log, path):
    make_log(path=path).open()
    with pytest.raises(StoreError, match=r"chat\.sqlite3 is served by another process; end that"):
        make_log(path=path, patience=0.1).open()


def test_two_names_of_one_file_share_a_lock(make_log, path, tmp_path):
    make_log(path=path).open()
    link = tmp_path / "link.sqlite3"
    link.symlink_to(path)
    with pytest.raises(StoreError, match="is served by another process"):
        make_log(path=link, patience=0).open()


def test_expired_key_can_be_used_again_without_gap(make_log, path):
    log = make_log(Retention(3, 0), path=path)
    for n in range(9):
        log.append(Draft("tea", "Ann", "x", f"key-{n:05}"))
    assert log.append(Draft("tea", "Ann", "x", "key-00002")).id == 10
    log.close()
    assert check(path, print) == 10


def test_second_server_waits_for_the_first_to_leave(make_log, path):
    leaving, coming = make_log(path=path), make_log(path=path, patience=10)
    leaving.append(Draft("lobby", "Ann", "x"))
    threading.Timer(0.2, leaving.close).start()
    assert coming.append(Draft("lobby", "Ann", "x")).id == 2


def test_killed_server_releases_its_file(make_log, path):
    serve = (
        "import sys, time; from pathlib import Path;"
        "from chatapp.store.sqlite.log import SQLiteLog;"
        "SQLiteLog(Path(sys.argv[1])).open(); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", serve, str(path)], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout.readline() == b"open\n"
        with pytest.raises(StoreError):
            make_log(path=path, patience=0).open()
        server.kill()
    make_log(path=path, patience=5).open()


def test_other_programs_can_read_meanwhile(make_log, path):
    log = make_log(path=path)
    log.append(Draft("lobby", "Ann", "x"))
    assert rows(path, "SELECT message FROM messages") == [("x",)]


def test_readers_do_not_wait_for_the_writer(make_log, path):
    log = make_log(path=path)
    log.append(Draft("lobby", "Ann", "x", "key-0001"))
    found = []

    def read() -> None:
        found.append((log.read("lobby").entries, log.find("lobby", "Ann", "key-0001"), log.holds()))

    with log._batches._writing, transaction(log._database):
        log._database.execute("DELETE FROM messages")
        reading = threading.Thread(target=read)
        reading.start()
        reading.join(5)
        assert len(found) == 1
    (entry,), same, holds = found[0]
    assert (entry.id, same, holds) == (1, entry, [])


def is_no_database(path):
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 100)


def is_anothers(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (name)")


def is_newer(path):
    log = SQLiteLog(path)
    log.open()
    log.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def is_damaged(path):
    log = SQLiteLog(path)
    for _ in range(50):
        log.append(Draft("lobby", "Ann", "x" * 500))
    log.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def has_damaged_holds(path):
    damage_holds(path, which=2)


def has_a_damaged_index_of_holds(path):
    damage_holds(path, which=1)


def damage_holds(path, which):
    """Overwrite a late page of the holds: of the index (`which=1`) or of the table (2)."""
    log = SQLiteLog(path)
    log.open()
    log.close()
    with closing(sqlite3.connect(path)) as database:
        held = [(f"name{n:04}", f"Name{n:04}", b"x" * 32, "") for n in range(2000)]
        database.executemany("INSERT INTO holds VALUES (?, ?, ?, ?)", held)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes().split(b"name1990")[:which]
    with path.open("r+b") as file:
        file.seek(len(b"name1990".join(before)) // 4096 * 4096)
        file.write(b"\xff" * 4096)


def is_cut_short(path):
    is_damaged(path)
    shutil.copy(path, path.with_suffix(".whole"))
    os.truncate(path, 8192)


def is_a_directory(path):
    path.mkdir()


BAD = {
    is_no_database: "is not a database",
    is_anothers: "is another program's database; set CHATAPP_STORE to another file",
    is_newer: f"has version {len(MIGRATIONS) + 1}, newer than this chatapp's {len(MIGRATIONS)}",
    is_damaged: "is damaged",
    has_damaged_holds: "is damaged",
    has_a_damaged_index_of_holds: "is damaged",
    is_cut_short: "is damaged",
    is_a_directory: "can't be opened or created",
}


@pytest.mark.parametrize("bad", BAD)
def test_wrong_file_is_refused_in_one_line_and_not_changed(make_log, path, bad):
    bad(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(StoreError) as error:
        make_log(path=path, patience=0).open()
    assert BAD[bad] in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert path.is_dir() or path.read_bytes() == before
    with pytest.raises(Unavailable):
        make_log(path=path, patience=0).append(Draft("lobby", "Ann", "x"))


def test_read_only_file_is_refused(make_log, tmp_path):
    """A file system that is read-only: permissions don't bind root."""
    with pytest.raises(StoreError, match=r"/proc/chat.sqlite3.* can't"):
        make_log(path=tmp_path.__class__("/proc/chat.sqlite3")).open()


def test_append_is_refused_while_the_file_is_full_and_then_goes_on(make_log, path, caplog):
    log = make_log(path=path)
    log.append(Draft("lobby", "Ann", "x"))
    (pages,) = log._database.execute("PRAGMA page_count").fetchone()
    log._database.execute(f"PRAGMA max_page_count = {pages}")
    big = Draft("lobby", "Ann", "x" * 4000)
    taken = 1
    with suppress(Unavailable):
        for _ in range(1000):
            taken = log.append(big).id
    for _ in range(3):
        with pytest.raises(Unavailable):
            log.append(big)
    assert caplog.text.count("can't grow, as the disk is full; free some space") == 1
    assert log.read("lobby").entries[-1].id == taken
    log._database.execute("PRAGMA max_page_count = 1000000")
    assert log.append(big).id == taken + 1
    assert log.available()
    assert "accepts messages again" in caplog.text


def test_available_after_a_failure_does_a_test_write(make_log, path):
    log = make_log(path=path)
    log.append(Draft("lobby", "Ann", "x"))
    assert log.available()
    log._database.execute("PRAGMA query_only = 1")
    with pytest.raises(Unavailable):
        log.append(Draft("lobby", "Ann", "x"))
    assert not log.available()
    log._database.execute("PRAGMA query_only = 0")
    assert log.available()


def test_interrupted_writer_does_not_stop_the_next_batch(monkeypatch):
    written = []
    batches = Batches(lambda drafts: [(draft, True) for draft in drafts], written.extend)
    with batches._writing:
        first = threading.Thread(target=lambda: suppressed(batches.append, "first"))
        monkeypatch.setattr("chatapp.store.batch.yield_to_loop", interrupt)
        batches._was_shared = True
        first.start()
    first.join()
    monkeypatch.undo()
    assert batches.append("second") == "second"
    assert written == ["second"]


def interrupt() -> None:
    raise KeyboardInterrupt


def suppressed(call, *arguments) -> None:
    with suppress(KeyboardInterrupt):
        call(*arguments)
