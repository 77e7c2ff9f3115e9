"""`chatapp export`, `import` and `check`, run as commands."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from click.testing import CliRunner
from support.servers import ROOT

from chatapp.chat.log import Draft, Retention
from chatapp.cli import main
from chatapp.store.sqlite import exporting
from chatapp.store.sqlite.log import SQLiteLog


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.sqlite3"


@pytest.fixture
def chatapp(path):
    def run(*words: str, store=path, **options):
        return CliRunner().invoke(main, words, env={"CHATAPP_STORE": f"sqlite:{store}"}, **options)

    return run


@pytest.fixture
def log(path):
    """An open log of two rooms, with a retention of three messages each."""
    now = [1_700_000_000.0]
    log = SQLiteLog(path, Retention(3, 0), sweep_interval=0.01, clock=lambda: now[0])
    for n in range(5):
        log.append(Draft("lobby", "Ann", f"number {n} é 😀\n\0", f"key-{n:05}"))
        now[0] += 86400
    log.append(Draft("tea", "Bo", "x"))
    with closing(sqlite3.connect(path)) as reader:  # sees only what is committed
        while reader.execute("SELECT count(*) FROM messages").fetchone()[0] > 4:
            pass
    yield log
    log.close()


def lines(result) -> list[dict]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_export_writes_whole_log_beside_server(chatapp, log):
    head, lobby, *messages, tea, last, end = lines(chatapp("export"))
    assert head == {"kind": "log", "format": 1, "epoch": log.epoch}
    assert (lobby["room"], lobby["newest"]) == ("lobby", 5)
    assert [message["id"] for message in messages] == [3, 4, 5]
    assert messages[0]["message"] == "number 2 é 😀\n\0"
    assert messages[0]["key"] == "key-00002"
    assert (tea["room"], tea["newest"]) == ("tea", 1)
    said = {"room": "tea", "id": 1, "at": last["at"], "user": "Bo", "message": "x"}
    assert last == {"kind": "message", **said}
    assert end == {"kind": "end", "messages": 4}


def test_export_of_room_and_since_date(chatapp, log):
    only = lines(chatapp("export", "--room", "TEA"))
    assert [line.get("room") for line in only] == [None, "tea", "tea", None]
    late = lines(chatapp("export", "--room", "lobby", "--since", "2023-11-18"))
    assert [line["id"] for line in late[2:-1]] == [5]


def test_export_is_a_snapshot(path, log, chatapp, tmp_path):
    exported = []
    for line in exporting.export(path, print):
        exported.append(line)
        for room in ("lobby", "tea", "new"):
            log.append(Draft(room, "Ann", "meanwhile"))
    other = tmp_path / "other.sqlite3"
    result = chatapp("import", store=other, input=b"\n".join(exported))
    assert (result.exit_code, result.stderr) == (0, f"4 messages are in {other}\n")


def test_terminal_shows_progress(path, log, tmp_path):
    run = [sys.executable, "-c", "from chatapp.cli import main; main()"]
    exported = tmp_path / "lines"
    ours, terminal = pty.openpty()
    os.set_blocking(ours, False)
    commands = [(path, ["export"]), (tmp_path / "other.sqlite3", ["import", str(exported)])]
    shown = []
    for store, words in commands:
        environ = os.environ | {"CHATAPP_STORE": f"sqlite:{store}", "TERM": "xterm"}
        with exported.open("ab") as out:
            process = [*run, *words]
            subprocess.run(process, cwd=ROOT, env=environ, stdout=out, stderr=terminal, check=True)
        shown.append(os.read(ours, 65536).decode())
    for each, what in zip(shown, ("Exporting", "Importing"), strict=True):
        assert f"\r\x1b[?25l{what}  [###" in each
    assert "100%" in shown[0]
    assert len(exported.read_bytes().splitlines()) == 8  # the progress bar isn't in the file
    os.close(ours)
    os.close(terminal)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
@pytest.mark.parametrize(("date", "count"), [("0001-01-01", 1), ("9999-12-31", 0)])
def test_export_since_ends_of_calendar(chatapp, log, monkeypatch, zone, date, count):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert lines(chatapp("export", "--room", "tea", "--since", date))[-1]["messages"] == count
    finally:
        monkeypatch.undo()
        time.tzset()


def test_imported_log_equals_exported_one(chatapp, log, tmp_path):
    exported = chatapp("export").stdout_bytes
    other = tmp_path / "other.sqlite3"
    result = chatapp("import", store=other, input=exported)
    assert (result.exit_code, result.stderr) == (0, f"4 messages are in {other}\n")
    assert chatapp("export", store=other).stdout_bytes == exported
    assert chatapp("check", store=other).exit_code == 0
    again = SQLiteLog(other, Retention(0, 0))
    assert again.epoch == log.epoch
    assert again.read("lobby").entries == log.read("lobby").entries
    assert again.append(Draft("lobby", "ANN", "x", "key-00004")).id == 5
    assert again.append(Draft("lobby", "Ann", "x")).id == 6
    again.close()


HEAD = '{"kind":"log","format":1,"epoch":"e"}\n'
ROOM = '{"kind":"room","room":"lobby","newest":9,"at":50}\n'


def message(number=1, at=5, **more) -> str:
    said = {"room": "lobby", "id": number, "at": at, "user": "Ann", "message": "x", **more}
    return json.dumps({"kind": "message", **said}) + "\n"


def room(**more) -> str:
    return json.dumps({"kind": "room", "room": "tea", "newest": 1, "at": 5, **more}) + "\n"


def lost(first, last) -> str:
    return json.dumps({"kind": "lost", "room": "lobby", "first": first, "last": last}) + "\n"


def end(messages) -> str:
    return json.dumps({"kind": "end", "messages": messages}) + "\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "line 1: the line of the kind end is missing"),
        ("hello\n", "line 1: "),
        ('{"kind":"log","format":2,"epoch":"e"}\n', "line 1: its format is 2 instead of 1"),
        ('{"kind":"log","format":1,"epoch":""}\n', "line 1: "),
        ('{"some":"thing"}\n', "line 1: "),
        (ROOM, "line 1: a file has one line of the kind log"),
        (HEAD + HEAD, "line 2: a file has one line of the kind log, and that is the first one"),
        (HEAD, "line 2: the line of the kind end is missing"),
        (HEAD + end(0) + ROOM, "line 3: it follows the line of the kind end"),
        (HEAD + "{", "line 2: "),
        (HEAD + message(), "line 2: the line of the kind room for 'lobby' is missing"),
        (HEAD + ROOM + ROOM, "line 3: the room 'lobby' occurs twice"),
        (HEAD + ROOM + message(10), "line 3: the number 10 isn't one of the room's"),
        (HEAD + ROOM + message(0), "line 3: "),
        (HEAD + ROOM + message(2**53), "line 3: "),
        (HEAD + ROOM + message(10**30), "line 3: "),
        (HEAD + ROOM + message(1.5), "line 3: "),
        (HEAD + ROOM + message(True), "line 3: "),
        (HEAD + ROOM + message(1) + message(3), "line 4: the number 3 follows 1"),
        (HEAD + ROOM + message(1) + message(1), "line 4: the number 1 follows 1"),
        (HEAD + ROOM + lost(1, 4) + message(6), "line 4: the number 6 follows 4"),
        (HEAD + ROOM + lost(4, 1), "line 3: "),
        (HEAD + ROOM + message(1) + end(1), "line 4: 'lobby' ended at 1 instead of 9"),
        (HEAD + ROOM + message(1) + room(), "line 4: 'lobby' ended at 1 instead of 9"),
        (HEAD + ROOM + message(9) + end(2), "line 4: it counts 2 messages, but 1 came before it"),
        (HEAD + ROOM + message(9), "line 4: the line of the kind end is missing"),
        (HEAD + ROOM + message(1, 6) + message(2, 5), "line 4: its time is before"),
        (HEAD + ROOM + message(1, 51), "line 3: its time is"),
        (
            HEAD + ROOM + message(room="tea"),
            "line 3: the line of the kind room for 'tea' is missing",
        ),
        (HEAD + ROOM + message(user=5), "line 3: "),
        (HEAD + ROOM + message(user=""), "line 3: "),
        (
            HEAD + ROOM + message(user="\u200b"),
            "line 3: '\\u200b' isn't the display form of a name",
        ),
        (HEAD + ROOM + message(user=" Ann"), "line 3: ' Ann' isn't the display form of a name"),
        (HEAD + ROOM + message(user="x" * 257), "line 3: "),
        (HEAD + ROOM + message(user="\ud800"), "line 3: "),
        (HEAD + '{"x":' + "[" * 100_000, "line 2: "),
        (HEAD + ROOM + message(message=""), "line 3: "),
        (HEAD + ROOM + message(key="*"), "line 3: "),
        (HEAD + ROOM + message(evil=5), "line 3: "),
        (HEAD + room(room="No such room!"), "line 2: "),
        (HEAD + room(room="Tea"), "line 2: "),
        (HEAD + room(newest=-1), "line 2: "),
        (HEAD + room(newest=10**30), "line 2: "),
        (HEAD + room(at=-1), "line 2: "),
        (
            HEAD + ROOM + message(1, key="key-0001") + message(2, key="key-0001", user="ANN"),
            "line 4: an earlier message has the same key",
        ),
    ],
)
def test_import_of_wrong_file_changes_nothing_and_names_line(chatapp, text, wrong):
    result = chatapp("import", input=text)
    assert result.exit_code == 1
    assert result.stderr.startswith(wrong)
    assert result.stderr.endswith("nothing was imported\n")
    assert result.stderr.count("\n") == 1
    assert chatapp("import", input=HEAD + ROOM + message(9) + end(1)).exit_code == 0


def test_import_requires_empty_unserved_file(chatapp, log, path):
    served = chatapp("import", input=HEAD)
    assert (served.exit_code, served.stderr) == (
        1,
        f"{path} is served by another process; end that one, or set CHATAPP_STORE to "
        "another file, or to redis://… for several processes of one chat\n",
    )
    log.close()
    full = chatapp("import", input=HEAD + end(0))
    assert (full.exit_code, full.stderr) == (
        1,
        f"{path} isn't empty; set CHATAPP_STORE to a file that doesn't exist\n",
    )


def test_check_of_sound_file(chatapp, log, path):
    result = chatapp("check")
    assert (result.exit_code, result.stdout) == (0, f"{path} is sound: 4 messages\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM messages WHERE id = 4", "lobby has 2 messages from 3 to 5"),
        ("DELETE FROM messages WHERE id = 5", "lobby ends with the message 4 instead of 5"),
        ("DELETE FROM rooms WHERE name = 'tea'", "1 messages belong to no room"),
        ("UPDATE messages SET at = 1 WHERE id = 4", "1 messages are older than"),
        (
            "UPDATE rooms SET at = at - 1 WHERE name = 'tea'",
            "tea has messages that are newer than its own time",
        ),
    ],
)
def test_check_reports_inconsistency(chatapp, log, path, damage, said):
    log.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(damage)
        database.commit()
    result = chatapp("check")
    assert result.exit_code == 1
    assert said in result.stdout
    assert "is damaged" in result.stderr


@pytest.fixture
def read_only(path):
    """Return a function that makes the file's folder read-only; for root by a mount."""
    folder = path.parent
    mounted = []

    def make() -> None:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            for words in (["--bind", folder, folder], ["-o", "remount,bind,ro", folder]):
                if subprocess.run(["mount", *words], capture_output=True).returncode:
                    pytest.skip("root can write everywhere here, and can't mount")
                mounted.append(folder)

    yield make
    if mounted:
        subprocess.run(["umount", "-l", folder], check=True)
    folder.chmod(0o700)


@pytest.mark.parametrize("command", ["check", "export"])
def test_file_is_read_in_read_only_folder(chatapp, log, read_only, command):
    log.close()
    read_only()
    result = chatapp(command)
    assert result.exit_code == 0, result.stderr
    assert "4" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", ["check", "export"])
def test_file_with_wal_is_refused_in_read_only_folder(chatapp, log, read_only, path, command):
    wal = path.with_name(f"{path.name}-wal")
    left = wal.read_bytes()
    log.close()
    wal.write_bytes(left)  # as a killed server leaves it
    read_only()
    result = chatapp(command)
    assert result.exit_code == 1
    assert result.stderr == (
        f"{path} can't be read in a folder that can't be written, as {wal.name} is part of it; "
        "copy both to another folder and set CHATAPP_STORE to the copy\n"
    )


@pytest.fixture
def damaged(path):
    """A file of six rooms with 300 messages each, and one damaged page."""
    log = SQLiteLog(path)
    log.open()
    log.close()
    with closing(sqlite3.connect(path)) as database:
        for number in range(1, 7):
            database.execute("INSERT INTO rooms VALUES (?, ?, 300, 1)", (number, f"r{number}"))
            rows = [(number, n, "x" * 400) for n in range(1, 301)]
            insert = "INSERT INTO messages VALUES (?, ?, 1, 'u', ?, NULL, NULL)"
            database.executemany(insert, rows)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray(path.read_bytes())
    middle = len(pages) // 8192 * 4096
    pages[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(pages)
    return path


def test_readable_rest_of_damaged_file_is_exported_and_imported(chatapp, damaged, tmp_path):
    result = chatapp("export")
    assert result.exit_code == 1
    said, summary = result.stderr.splitlines()
    assert re.fullmatch(r"r[1-6]: the messages \d+ to \d+ can't be read", said)
    assert summary == f"{damaged} is damaged; all that can be read of it has been written"
    found = [json.loads(line) for line in result.stdout.splitlines()]
    (gap,) = [line for line in found if line["kind"] == "lost"]
    lost = gap["last"] - gap["first"] + 1
    assert sum(line["kind"] == "message" for line in found) == 1800 - lost
    assert lost < 30
    other = tmp_path / "other.sqlite3"
    imported = chatapp("import", store=other, input=result.stdout_bytes)
    assert imported.stderr == f"{1800 - lost} messages are in {other}\n"
    assert f"has {300 - lost} messages from 1 to 300" in chatapp("check", store=other).stdout
    assert chatapp("check").exit_code == 1


@pytest.mark.parametrize("command", ["export", "check"])
def test_empty_file_is_reported_in_one_line(chatapp, path, command):
    path.touch()
    result = chatapp(command)
    assert result.exit_code == 1
    assert result.stderr == f"{path} is empty; set CHATAPP_STORE=sqlite:PATH to the chat's file\n"


@pytest.mark.parametrize("command", ["export", "check"])
def test_missing_file_is_reported_in_one_line(chatapp, command, path):
    result = chatapp(command)
    assert result.exit_code == 1
    assert result.stderr == (
        f"{path} doesn't exist; set CHATAPP_STORE=sqlite:PATH to the chat's file\n"
    )
    assert not path.exists()


def test_memory_store_has_no_file():
    result = CliRunner().invoke(main, ["export"], env={"CHATAPP_STORE": "memory:"})
    assert (result.exit_code, result.stderr) == (
        1,
        "CHATAPP_STORE=memory: has no file; set it to sqlite:PATH\n",
    )
