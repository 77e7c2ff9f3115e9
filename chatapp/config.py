"""Every setting: its name, unit, default and check. Read once, at start-up.

A setting comes from the environment (`CHATAPP_TITLE`) or from what `create_app` is given (`TITLE`),
which counts for more. docs/operating.md explains them to whoever runs the service.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct

from chatapp.limits import Rate

PREFIX = "CHATAPP_"
SWITCH = dict.fromkeys(["1", "true", "yes", "on"], True) | dict.fromkeys(
    ["0", "false", "no", "off"], False
)


class SettingError(ValueError):
    """A setting's value is no good: one line that names it, its value and what it should be."""


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_shared(store: str) -> bool:
    """Whether other processes may have the store, too."""
    return store.startswith("redis")


def address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        raise ValueError
    return Address(host, int(port))


def store(text: str) -> str:
    if text == "memory:" or text.startswith("sqlite:"):
        return text
    if not re.fullmatch(r"rediss?://[^/?#\s]+(/\d*)?(\?ssl_[^#\s]*)?", text):
        raise ValueError
    _ = urlsplit(text).port  # or it's none
    if find_spec("redis") is None:
        raise SettingError(
            "CHATAPP_STORE=redis://… needs the package redis; install it: pip install "
            "'chatapp[redis]'"
        )
    return text


def origins(text: str | Iterable[str]) -> frozenset[str]:
    items = text.split(",") if isinstance(text, str) else text
    found = frozenset(item.strip().rstrip("/").lower() for item in items if item.strip())
    if any(o not in ("*", "null") and not re.fullmatch(r"https?://[^/?#\s]+", o) for o in found):
        raise ValueError
    return found


def seconds(text: str | float) -> float:
    number = float(text)
    if not 0.01 <= number <= 86400:
        raise ValueError
    return number


def whole(least: int, most: int) -> Callable[[str | int], int]:
    def parse(text: str | int) -> int:
        if isinstance(text, bool) or not re.fullmatch(r"\d{1,18}", str(text).strip(), re.ASCII):
            raise ValueError
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def rate(text: str | Rate | None) -> Rate | None:
    if text is None or isinstance(text, Rate):
        return text
    if not text.strip():
        return None
    match = re.fullmatch(r"\s*(\d{1,9})/(\d{1,9}(?:\.\d+)?)\s*", text, re.ASCII)
    if not match or int(match[1]) < 1 or float(match[2]) <= 0:
        raise ValueError
    return Rate(int(match[1]), float(match[2]))


def switch(text: str | bool) -> bool:
    return SWITCH[str(text).strip().lower()]


def title(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 100:
        raise ValueError
    return text.strip()


class Setting(NamedTuple):
    parse: Callable[[Any], Any]
    default: str
    expected: str


RATE = "COUNT/SECONDS such as 20/10, or empty for no limit"

SETTINGS = {
    "BIND": Setting(address, "127.0.0.1:3000", "HOST:PORT, such as 127.0.0.1:3000"),
    "STORE": Setting(
        store,
        "sqlite:",
        "sqlite:PATH, sqlite: for a file in the instance folder, redis://HOST:PORT/DATABASE, "
        "or memory:",
    ),
    "ALLOWED_ORIGINS": Setting(
        origins, "", "origins such as https://example.org, comma-separated; null; or *"
    ),
    "ALLOW_EIO3": Setting(switch, "1", "1 or 0, true or false, yes or no, on or off"),
    "PING_INTERVAL": Setting(seconds, "20", "seconds, from 0.01 to 86400"),
    "PING_TIMEOUT": Setting(seconds, "10", "seconds, from 0.01 to 86400"),
    "MAX_FRAME_BYTES": Setting(whole(1024, 2**30), "65536", "bytes, from 1024 to 1073741824"),
    "MAX_MESSAGE_CHARS": Setting(whole(1, 10**6), "4000", "code points, from 1 to 1000000"),
    "MAX_NAME_CHARS": Setting(whole(1, 256), "32", "code points, from 1 to 256"),
    "MESSAGE_LIMIT": Setting(rate, "20/10", RATE),
    "NAME_LIMIT": Setting(rate, "20/60", RATE),
    "EVENT_LIMIT": Setting(rate, "200/10", RATE),
    "MAX_CONNECTIONS": Setting(
        whole(0, 10**7), "10000", "connections open at once, or 0 for no bound"
    ),
    "MAX_CONNECTIONS_PER_ADDRESS": Setting(
        whole(0, 10**7), "256", "connections open at once from one address, or 0 for no bound"
    ),
    "LIMIT_LOOPBACK": Setting(switch, "0", "1 or 0, true or false, yes or no, on or off"),
    "NAME_HOLD": Setting(seconds, "30", "seconds, from 0.01 to 86400"),
    "NODE_LEASE": Setting(seconds, "15", "seconds, from 0.01 to 86400"),
    "DRAIN_TIME": Setting(seconds, "5", "seconds, from 0.01 to 86400"),
    "RETENTION_DAYS": Setting(whole(0, 10**5), "30", "days, from 0 to 100000; 0 for no limit"),
    "RETENTION_MESSAGES": Setting(
        whole(0, 10**9), "10000", "messages for each room, or 0 for no limit"
    ),
    "TRUSTED_PROXIES": Setting(whole(0, 100), "0", "how many proxies are in front, from 0 to 100"),
    "TITLE": Setting(title, "Chat", "1 to 100 characters that can be seen"),
}

PACKETS_PER_EVENT = 15
FRAMES_AT_LEAST = 4
"""Frames of the largest size that a connection may send at once, at least."""

IN_TESTS = {"STORE": "memory:", "MESSAGE_LIMIT": "", "NAME_LIMIT": "", "EVENT_LIMIT": ""}
"""Defaults where `TESTING` is true."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings, checked; past `read` nobody checks them again. Units are those of SETTINGS."""

    bind: Address
    store: str
    allowed_origins: frozenset[str]
    allow_eio3: bool
    ping_interval: float
    ping_timeout: float
    max_frame_bytes: int
    max_message_chars: int
    max_name_chars: int
    message_limit: Rate | None
    name_limit: Rate | None
    event_limit: Rate | None
    max_connections: int
    max_connections_per_address: int
    limit_loopback: bool
    name_hold: float
    node_lease: float
    drain_time: float
    retention_days: int
    retention_messages: int
    trusted_proxies: int
    title: str

    @property
    def packet_limit(self) -> Rate | None:
        """What a connection may send of any kind: frames, packets, requests, and each KiB counts as
        one. It's far more than its events need, so that a client over it is closed."""
        if self.event_limit is None:
            return None
        tokens, seconds = self.event_limit
        largest = self.max_frame_bytes // 1024
        return Rate(max(PACKETS_PER_EVENT * tokens, FRAMES_AT_LEAST * largest), seconds)


def read(
    config: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """The settings of `environ`, with those of `config` over them.

    With `TESTING` true and nothing else said, the store is in memory and there are no limits on
    rates.

    Raises:
        SettingError: a value isn't what its setting should be.
    """
    config = config or {}
    values = {}
    for name, setting in SETTINGS.items():
        default = setting.default
        if config.get("TESTING"):
            default = IN_TESTS.get(name, default)
        shown, value = PREFIX + name, environ.get(PREFIX + name, default)
        if name in config:
            shown, value = name, config[name]
        try:
            values[name.lower()] = setting.parse(value)
        except SettingError:
            raise
        except (ValueError, TypeError, AttributeError, LookupError):
            raise SettingError(f"{shown}={value!r} should be {setting.expected}") from None
    return Settings(**values)
