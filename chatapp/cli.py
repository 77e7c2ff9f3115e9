"""`chatapp`: the installed command. It serves the chat, and looks after its file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from chatapp.config import SettingError, read
from chatapp.errors import StoreError
from chatapp.store import FILE
from chatapp.store.sqlite import check, exporting, importing

SERVE = [sys.executable, "-m", "gunicorn", "-c", "python:chatapp.serve", "chatapp:create_app()"]


class Wrong(click.ClickException):
    """What a person is told in one line."""

    def show(self, file: object = None) -> None:  # noqa: ARG002
        click.echo(self.message, err=True)


@click.group(invoke_without_command=True)
@click.version_option(package_name="chatapp", message="chatapp %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Serve the chat. Settings are environment variables CHATAPP_…; CHATAPP_BIND=127.0.0.1:3000 is
    the address, CHATAPP_STORE=sqlite:PATH the file that the other commands look at, too."""
    if context.invoked_subcommand is None:
        os.execv(sys.executable, SERVE)


@main.command()
@click.option("--room", help="Of this room alone.")
@click.option("--since", type=click.DateTime(), help="From this date on, in local time.")
def export(room: str | None, since: datetime | None) -> None:
    """Write the log to standard output, as JSON lines. A server may be running."""
    path, name = file(), room.lower() if room else ""
    since_ms = milliseconds(since) if since else 0
    unread: list[str] = []
    try:
        lines = exporting.export(path, unread.append, name, since_ms)
        for line in progress(lines, exporting.expected(path, name), "Exporting"):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (StoreError, OSError) as error:
        raise Wrong(str(error)) from None
    for found in unread:
        click.echo(found, err=True)
    if unread:
        raise Wrong(f"{path} is damaged; all that can be read of it has been written")


@main.command("import")
@click.argument("source", type=click.File("rb"), default="-")
def import_(source: BinaryIO) -> None:
    """Fill an empty store from SOURCE (standard input unless given), numbers and epoch kept."""
    path = file()
    try:
        count = importing.import_lines(path, progress(source, 0, "Importing"))
    except (StoreError, OSError) as error:
        raise Wrong(str(error)) from None
    click.echo(f"{count} messages are in {path}", err=True)


@main.command("check")
def check_() -> None:
    """Verify the file: whether it is whole, and its numbers without gaps. A server may be
    running."""
    path = file()
    try:
        count = check.check(path, click.echo)
        if count is None:
            raise Wrong(f"{path} is damaged; `chatapp export` saves what can be read")
        click.echo(f"{path} is sound: {count} messages")
    except StoreError as error:
        raise Wrong(str(error)) from None


def milliseconds(date: datetime) -> int:
    """The time since 1970 of a date in local time, as far as there were messages."""
    try:
        return int(date.timestamp() * 1000)
    except (ValueError, OverflowError):  # it's at an end of the calendar
        return 0 if date.year < 1970 else 2**53


def file() -> Path:
    """The chat's file, by the settings."""
    try:
        store = read().store
    except SettingError as error:
        raise Wrong(str(error)) from None
    kind, _, path = store.partition(":")
    if kind != "sqlite":
        raise Wrong(f"CHATAPP_STORE={kind}: has no file; set it to sqlite:PATH")
    from chatapp import create_app  # noqa: PLC0415 (takes a while)

    return Path(path) if path else Path(create_app().instance_path) / FILE


def progress(lines: Iterable[bytes], total: int, what: str) -> Iterator[bytes]:
    """`lines`, with a bar on the terminal, where standard error is one."""
    bar = click.progressbar(lines, length=total or None, label=what, file=sys.stderr)
    if not sys.stderr.isatty():
        yield from lines
        return
    with bar:
        yield from bar
