"""The log and what lies beside it, in memory or in a file."""

from __future__ import annotations

from pathlib import Path

from chatapp.store.base import Log, Retention
from chatapp.store.memory import MemoryLog
from chatapp.store.sqlite import SQLiteLog

FILE = "chat.sqlite3"


def log_of(store: str, folder: Path, retention: Retention) -> Log:
    """The log that the setting `store` names, not opened; `folder` is where its file is else."""
    kind, _, path = store.partition(":")
    if kind == "memory":
        return MemoryLog(retention)
    return SQLiteLog(Path(path) if path else folder / FILE, retention)
