"""How a setting is declared, and the types and parsers of settings' values.

A parser takes a string of the environment or a value of `create_app`'s mapping. It raises
ValueError, TypeError, AttributeError or LookupError for a bad value; `config.read` turns these into
one line for a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from chatapp.errors import SettingError
from chatapp.limits import Rate

SWITCH = dict.fromkeys(["1", "true", "yes", "on"], True) | dict.fromkeys(
    ["0", "false", "no", "off"], False
)
FILE = "chat.sqlite3"
REDIS_URL = re.compile(r"rediss?://[^/?#\s]+(/\d*)?(\?ssl_[^#\s]*)?")
PASSWORD = re.compile(r"(?<=://)([^/?#@:]*:)[^/?#]*(?=@)")


class Setting(NamedTuple):
    """What a setting's declaration says.

    `expected` completes the sentence "NAME=value should be …". `default` and `in_tests`, the
    default where TESTING is true, are values as the environment has them. `doc` is one line.
    """

    parse: Callable[[Any], Any]
    default: str
    expected: str
    doc: str
    unit: str = ""
    in_tests: str | None = None


def setting(*arguments: Any, **options: Any) -> Any:
    """Declare a field of Settings; the arguments are those of Setting."""
    return field(metadata={"setting": Setting(*arguments, **options)})


class Address(NamedTuple):
    """A TCP address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class StoreURL(NamedTuple):
    """The URL of the store: `memory:`, `sqlite:PATH` or `redis://HOST:PORT/DATABASE`.

    `sqlite:` without a path is a file in the instance folder. `rediss://` is Redis over TLS.
    """

    text: str

    @property
    def kind(self) -> Literal["memory", "sqlite", "redis"]:
        if self.text.startswith("redis"):
            return "redis"
        return "sqlite" if self.text.startswith("sqlite:") else "memory"

    @property
    def is_shared(self) -> bool:
        """Whether several processes may use the store at once."""
        return self.kind == "redis"

    def file(self, instance_path: str | Path) -> Path:
        """Return the path of an SQLite store's file."""
        path = self.text.removeprefix("sqlite:")
        return Path(path) if path else Path(instance_path) / FILE

    def __str__(self) -> str:
        """Return the URL with its password masked."""
        return PASSWORD.sub(r"\1***", self.text)


def parse_address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        raise ValueError
    return Address(host, int(port))


def parse_store(text: str | StoreURL) -> StoreURL:
    """Parse STORE.

    Raises:
        SettingError: it is a Redis and the package redis is not installed.
    """
    text = text.text if isinstance(text, StoreURL) else text
    if text == "memory:" or text.startswith("sqlite:"):
        return StoreURL(text)
    if not REDIS_URL.fullmatch(text):
        raise ValueError
    _ = urlsplit(text).port  # raises ValueError unless it is a port's number
    if find_spec("redis") is None:
        raise SettingError(
            "CHATAPP_STORE=redis://… needs the package redis; install it: pip install "
            "'chatapp[redis]'"
        )
    return StoreURL(text)


def parse_origins(text: str | Iterable[str]) -> frozenset[str]:
    items = text.split(",") if isinstance(text, str) else text
    found = frozenset(item.strip().rstrip("/").lower() for item in items if item.strip())
    if any(o not in ("*", "null") and not re.fullmatch(r"https?://[^/?#\s]+", o) for o in found):
        raise ValueError
    return found


def parse_hosts(text: str | Iterable[str]) -> frozenset[str]:
    items = text.split(",") if isinstance(text, str) else text
    found = frozenset(item.strip().lower() for item in items if item.strip())
    if not all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", host) for host in found):
        raise ValueError
    return found


def parse_seconds(text: str | float) -> float:
    number = float(text)
    if not 0.01 <= number <= 86400:
        raise ValueError
    return number


def whole_number(least: int, most: int) -> Callable[[str | int], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(text: str | int) -> int:
        if isinstance(text, bool) or not re.fullmatch(r"\d{1,18}", str(text).strip(), re.ASCII):
            raise ValueError
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def parse_rate(text: str | Rate | None) -> Rate | None:
    if text is None or isinstance(text, Rate):
        return text
    if not text.strip():
        return None
    match = re.fullmatch(r"\s*(\d{1,9})/(\d{1,9}(?:\.\d+)?)\s*", text, re.ASCII)
    if not match or int(match[1]) < 1 or float(match[2]) <= 0:
        raise ValueError
    return Rate(int(match[1]), float(match[2]))


def parse_switch(text: str | bool) -> bool:
    return SWITCH[str(text).strip().lower()]


def parse_title(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 100:
        raise ValueError
    return text.strip()
