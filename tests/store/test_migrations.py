"""Migrations of a file from an older version: all steps or none."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from chatapp.chat.log import Draft
from chatapp.errors import StoreError
from chatapp.store.sqlite import database
from chatapp.store.sqlite.database import MIGRATIONS
from chatapp.store.sqlite.log import SQLiteLog

NOW = len(MIGRATIONS)
COLOURS = ("CREATE TABLE colours (room INTEGER)", "INSERT INTO colours SELECT id FROM rooms")
BROKEN = ("CREATE TABLE shapes (room INTEGER)", "INSERT INTO no_such_table VALUES (1)")


@pytest.fixture
def path(tmp_path):
    """A file of this version, with a message in it."""
    path = tmp_path / "chat.sqlite3"
    log = SQLiteLog(path)
    log.append(Draft("lobby", "Ann", "x"))
    log.close()
    return path


@pytest.fixture
def next_version(monkeypatch):
    return lambda *steps: monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, *steps))


def read(path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as reader:
        return reader.execute(query).fetchall()


def tables(path) -> set[str]:
    return {name for (name,) in read(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_migration_runs_once_and_keeps_data(path, next_version):
    next_version(COLOURS)
    for count in (1, 2):
        log = SQLiteLog(path)
        assert log.append(Draft("lobby", "Ann", "x")).id == count + 1
        log.close()
    assert read(path, "PRAGMA user_version") == [(NOW + 1,)]
    assert read(path, "SELECT * FROM colours") == [(1,)]


def test_migrations_run_in_order(path, next_version):
    next_version(COLOURS, ("ALTER TABLE colours ADD COLUMN name TEXT",))
    SQLiteLog(path).open()
    assert read(path, "PRAGMA user_version") == [(NOW + 2,)]
    assert read(path, "SELECT * FROM colours") == [(1, None)]


def test_new_file_gets_all_migrations(tmp_path, next_version):
    next_version(COLOURS)
    path = tmp_path / "new.sqlite3"
    log = SQLiteLog(path)
    assert log.append(Draft("lobby", "Ann", "x")).id == 1
    assert read(path, "PRAGMA user_version") == [(NOW + 1,)]
    assert "colours" in tables(path)


def test_failed_migration_rolls_all_back(path, next_version, monkeypatch):
    before = tables(path)
    next_version(COLOURS, BROKEN)
    with pytest.raises(StoreError, match="no_such_table") as error:
        SQLiteLog(path).open()
    assert "\n" not in str(error.value)
    assert read(path, "PRAGMA user_version") == [(NOW,)]
    assert tables(path) == before
    monkeypatch.undo()
    log = SQLiteLog(path)
    assert log.append(Draft("lobby", "Ann", "x")).id == 2
    log.close()
