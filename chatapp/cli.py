"""The command `chatapp`: it serves the chat, and exports, imports and checks its file."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click
from flask import Flask

from chatapp.config import PREFIX, SETTINGS, Settings, read, sources
from chatapp.errors import SettingError, StoreError
from chatapp.setting_types import StoreURL
from chatapp.store.sqlite import check, exporting, importing

SERVE = [sys.executable, "-m", "gunicorn", "-c", "python:chatapp.serve", "chatapp:create_app()"]


class CommandError(click.ClickException):
    """An error that is printed as one line."""

    def show(self, file: object = None) -> None:  # noqa: ARG002
        click.echo(self.message, err=True)


@click.group(invoke_without_command=True)
@click.version_option(package_name="chatapp", message="chatapp %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Serve the chat.

    Settings are environment variables: CHATAPP_BIND=127.0.0.1:3000 is the address to listen on,
    CHATAPP_STORE=sqlite:PATH the file of the chat, which the other commands use, too. `chatapp
    settings` prints them all.
    """
    if context.invoked_subcommand is None:
        os.execv(sys.executable, SERVE)


@main.command()
@click.option("--room", help="Export this room only.")
@click.option(
    "--since", type=click.DateTime(), help="Export messages from this date on, in local time."
)
def export(room: str | None, since: datetime | None) -> None:
    """Write the log to standard output, as JSON lines. A server may be running meanwhile."""
    path, name = file(), room.lower() if room else ""
    since_ms = milliseconds(since) if since else 0
    unread: list[str] = []
    try:
        lines = exporting.export(path, unread.append, name, since_ms)
        for line in progress(lines, exporting.count_messages(path, name), "Exporting"):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (StoreError, OSError) as error:
        raise CommandError(str(error)) from None
    for found in unread:
        click.echo(found, err=True)
    if unread:
        raise CommandError(f"{path} is damaged; all that can be read of it has been written")


@main.command("import")
@click.argument("source", type=click.File("rb"), default="-")
def import_(source: BinaryIO) -> None:
    """Fill an empty store from SOURCE, by default standard input. Numbers and epoch are kept."""
    path = file()
    try:
        count = importing.import_lines(path, progress(source, 0, "Importing"))
    except (StoreError, OSError) as error:
        raise CommandError(str(error)) from None
    click.echo(f"{count} messages are in {path}", err=True)


@main.command("check")
def check_() -> None:
    """Check that the file is whole and its numbers have no gaps. A server may be running."""
    path = file()
    try:
        count = check.check(path, click.echo)
        if count is None:
            raise CommandError(f"{path} is damaged; `chatapp export` saves what can be read")
        click.echo(f"{path} is sound: {count} messages")
    except StoreError as error:
        raise CommandError(str(error)) from None


@main.command()
def settings() -> None:
    """Print all settings and their values, in a form that a shell can read."""
    read_settings()
    for name, _, value in sources({}, os.environ):
        declared = SETTINGS[name]
        unit = f" Unit: {declared.unit}." if declared.unit else ""
        default = f" Default: {declared.default}." if declared.default else ""
        shown = str(StoreURL(value)) if name == "STORE" else value
        click.echo(f"# {declared.doc}{unit}{default}\n{PREFIX}{name}={shlex.quote(shown)}\n")


def milliseconds(date: datetime) -> int:
    """Convert a date in local time to ms since 1970, within what a log can hold."""
    try:
        return int(date.timestamp() * 1000)
    except (ValueError, OverflowError):  # at an end of the calendar
        return 0 if date.year < 1970 else 2**53


def read_settings() -> Settings:
    """Read the settings of the environment, or end the command with one line."""
    try:
        return read()
    except SettingError as error:
        raise CommandError(str(error)) from None


def file() -> Path:
    """Return the path of the chat's file, by the settings."""
    store = read_settings().store
    if store.kind != "sqlite":
        raise CommandError(f"CHATAPP_STORE={store.kind}: has no file; set it to sqlite:PATH")
    return store.file(Flask("chatapp").instance_path)


def progress(lines: Iterable[bytes], total: int, what: str) -> Iterator[bytes]:
    """Yield `lines`, and show a progress bar if standard error is a terminal."""
    bar = click.progressbar(lines, length=total or None, label=what, file=sys.stderr)
    if not sys.stderr.isatty():
        yield from lines
        return
    with bar:
        yield from bar
