"""The settings: one declaration for each, from which parsing, help and documents follow.

A setting comes from the environment (`CHATAPP_TITLE`) or from the mapping given to `create_app`
(`TITLE`), which takes precedence. Settings are read once, at start-up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from chatapp.errors import SettingError
from chatapp.limits import Rate
from chatapp.setting_types import (
    Address,
    Setting,
    StoreURL,
    parse_address,
    parse_hosts,
    parse_origins,
    parse_rate,
    parse_seconds,
    parse_store,
    parse_switch,
    parse_title,
    setting,
    whole_number,
)

PREFIX = "CHATAPP_"
PACKETS_PER_EVENT = 15
MIN_FRAMES = 4
"""Frames of the largest size that a connection may send at once, at least."""
RATE = "COUNT/SECONDS such as 20/10, or empty for no limit"
SECONDS = "seconds, from 0.01 to 86400"
SWITCH = "1 or 0, true or false, yes or no, on or off"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The parsed settings. Nothing checks them again."""

    bind: Address = setting(
        parse_address,
        "127.0.0.1:3000",
        "HOST:PORT, such as 127.0.0.1:3000",
        "Address to listen on. `0.0.0.0:3000` is port 3000 of all interfaces.",
    )
    store: StoreURL = setting(
        parse_store,
        "sqlite:",
        "sqlite:PATH, sqlite: for a file in the instance folder, redis://HOST:PORT/DATABASE, "
        "or memory:",
        "Where messages and held names are kept. `sqlite:PATH` is a file. `sqlite:` is "
        "`chat.sqlite3` in the instance folder. `memory:` ends with the process. "
        "`redis://HOST:PORT/DATABASE` is a Redis that several processes share.",
        in_tests="memory:",
    )
    allowed_origins: frozenset[str] = setting(
        parse_origins,
        "",
        "origins such as https://example.org, comma-separated; null; or *",
        "Origins whose pages may connect, besides the server's own. `null` is a page opened "
        "from a file. `*` is any origin.",
    )
    hosts: frozenset[str] = setting(
        parse_hosts,
        "",
        "names of hosts such as chat.test, comma-separated, without scheme and port",
        "Names under which the server may be addressed, besides `localhost` and loopback "
        "addresses. They are checked if it listens on a loopback address and trusts no proxy.",
    )
    allow_eio3: bool = setting(
        parse_switch, "1", SWITCH, "Whether clients of socket.io 2 (Engine.IO 3) may connect."
    )
    ping_interval: float = setting(
        parse_seconds, "20", SECONDS, "Time between two pings of the server.", "s"
    )
    ping_timeout: float = setting(
        parse_seconds, "10", SECONDS, "How long the server waits for a pong.", "s"
    )
    max_frame_bytes: int = setting(
        whole_number(1024, 2**30),
        "65536",
        "bytes, from 1024 to 1073741824",
        "Largest WebSocket message or polling body that is accepted.",
        "bytes",
    )
    max_message_chars: int = setting(
        whole_number(1, 10**6),
        "4000",
        "code points, from 1 to 1000000",
        "Longest message.",
        "code points",
    )
    max_name_chars: int = setting(
        whole_number(1, 256), "32", "code points, from 1 to 256", "Longest name.", "code points"
    )
    message_limit: Rate | None = setting(
        parse_rate,
        "20/10",
        RATE,
        "Messages of one connection: `20/10` is 20 at once, then 2 a second. Empty: no limit.",
        "count/seconds",
        in_tests="",
    )
    name_limit: Rate | None = setting(
        parse_rate, "20/60", RATE, "The same for requests for a name.", "count/seconds", in_tests=""
    )
    event_limit: Rate | None = setting(
        parse_rate,
        "200/10",
        RATE,
        "The same for all events together, refused ones too. A connection that sends twice as "
        "many is closed.",
        "count/seconds",
        in_tests="",
    )
    max_connections: int = setting(
        whole_number(0, 10**7),
        "10000",
        "connections open at once, or 0 for no bound",
        "Sessions open at once. More are answered with 429. 0: no bound.",
        "sessions",
    )
    max_connections_per_address: int = setting(
        whole_number(0, 10**7),
        "256",
        "connections open at once from one address, or 0 for no bound",
        "The same for each address, which may also have twice as many HTTP connections, and 32 "
        "more.",
        "sessions",
    )
    limit_loopback: bool = setting(
        parse_switch,
        "0",
        SWITCH,
        "Whether the bounds for each address hold for loopback addresses, from which a proxy on "
        "the same machine connects.",
    )
    name_hold: float = setting(
        parse_seconds, "30", SECONDS, "How long a held name is kept for its owner.", "s"
    )
    node_lease: float = setting(
        parse_seconds,
        "15",
        SECONDS,
        "With Redis: a process that has been silent for this long is taken to be dead.",
        "s",
    )
    drain_time: float = setting(
        parse_seconds,
        "5",
        SECONDS,
        "With Redis: a stopping process closes its clients within this time.",
        "s",
    )
    retention_days: int = setting(
        whole_number(0, 10**5),
        "30",
        "days, from 0 to 100000; 0 for no limit",
        "How long messages are kept. 0: no limit.",
        "days",
    )
    retention_messages: int = setting(
        whole_number(0, 10**9),
        "10000",
        "messages for each room, or 0 for no limit",
        "How many messages are kept for each room. 0: no limit.",
        "messages",
    )
    trusted_proxies: int = setting(
        whole_number(0, 100),
        "0",
        "how many proxies are in front, from 0 to 100",
        "How many proxies in front of the server are trusted in what they say by `X-Forwarded-*`.",
        "proxies",
    )
    title: str = setting(
        parse_title, "Chat", "1 to 100 characters that can be seen", "Title that the page shows."
    )

    @property
    def packet_limit(self) -> Rate | None:
        """The rate of all that a connection sends.

        Each frame, packet, request and KiB counts one. It is far more than the connection's events
        need. A client over it is closed.
        """
        if self.event_limit is None:
            return None
        tokens, seconds = self.event_limit
        largest = self.max_frame_bytes // 1024
        return Rate(max(PACKETS_PER_EVENT * tokens, MIN_FRAMES * largest), seconds)


SETTINGS: dict[str, Setting] = {
    declared.name.upper(): declared.metadata["setting"] for declared in fields(Settings)
}
"""The declarations by the settings' names without prefix."""


def sources(
    config: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, str, Any]]:
    """Yield each setting's name, the name under which it was given, and its value."""
    for name, declared in SETTINGS.items():
        if name in config:
            yield name, name, config[name]
            continue
        is_test = config.get("TESTING") and declared.in_tests is not None
        default = declared.in_tests if is_test else declared.default
        yield name, PREFIX + name, environ.get(PREFIX + name, default)


def read(
    config: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Parse the settings of `environ`, and those of `config`, which take precedence.

    With `TESTING` true, the store is in memory by default, and there are no limits on rates.

    Raises:
        SettingError: a value is bad.
    """
    values = {}
    for name, given_as, value in sources(config or {}, environ):
        try:
            values[name.lower()] = SETTINGS[name].parse(value)
        except SettingError:
            raise
        except (ValueError, TypeError, AttributeError, LookupError):
            expected = SETTINGS[name].expected
            raise SettingError(f"{given_as}={value!r} should be {expected}") from None
    return Settings(**values)
