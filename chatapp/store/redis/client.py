"""The connection to Redis: its availability, its errors, and scripts that run on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from chatapp.errors import Damaged, StoreError, Unavailable
from chatapp.store.damage import DamageLog
from chatapp.store.redis.damage import DamagedKey, classify_call_error, error_text

T = TypeVar("T")
logger = logging.getLogger(__name__)
MAX_CONNECTIONS = 50
MAX_CONCURRENT_QUERIES = 40
"""More queries wait. The other connections are for probes, sweeps and the subscriber."""


class Server:
    """The Redis at `url`. Thread-safe.

    A command that takes longer than `patience` seconds fails, and Redis counts as down. No command
    is retried, as it may have been run. While Redis is down, `query` fails at once. `probe` finds
    out when it is back.

    A damaged key never makes Redis count as down (damage.py). The command that needs it gets
    Damaged, and the log says which key it is, at most once a minute.

    Raises:
        StoreError: the URL is wrong.
    """

    def __init__(self, url: str, patience: float) -> None:
        self.url = url
        self.is_down = False
        self.damage = DamageLog()
        self._hashes: dict[str, Any] = {}  # of loaded scripts, by their text
        self._slots = threading.Semaphore(MAX_CONCURRENT_QUERIES)
        self.client = redis.Redis(connection_pool=make_pool(url, patience))

    def query(self, command: Callable[[], T]) -> T:
        """Run a command and return its answer.

        Raises:
            Damaged: it needs a key that is damaged.
            Unavailable: Redis doesn't answer in time, or is down.
        """
        if self.is_down:
            raise Unavailable
        with self._slots:  # waiting here is not Redis's time
            if self.is_down:
                raise Unavailable
            with self.translate_errors():
                return command()

    def probe(self, command: Callable[[], Any]) -> None:
        """Run a command even while Redis is down. If it answers, Redis is up again.

        Raises:
            Unavailable: it doesn't answer in time.
        """
        was_down = self.is_down  # another thread may find it down meanwhile, and is right then
        with self.translate_errors():
            command()
        if was_down:
            logger.warning("%s accepts messages again", redact(self.url))
            self.is_down = False

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise the chat's errors for those of Redis, and note whether it is down.

        Raises:
            Damaged: a command needs a key that is damaged.
            Unavailable: Redis can't be used. The log says so once until it is back.
        """
        try:
            yield
        except RedisError as error:
            if isinstance(error, DamagedKey) and not error.is_shared:
                raise self.report_damage(error) from None
            if not self.is_down:
                reason = store_error(self.url, error)
                logger.error("%s; messages are refused until that is fixed", reason)
            self.is_down = True
            raise Unavailable from None

    def report_damage(self, damage: DamagedKey) -> Damaged:
        """Log the damage, unless it was logged within a minute; return the client's refusal."""
        line = f"{redact(self.url)}: {damage}; until then the chat refuses requests that need it"
        self.damage.report(damage.command, line)
        return Damaged()

    def run_pipelined(self, script: str, *calls: tuple[list[str], list[Any]]) -> list[Any]:
        """Run a script with the keys and arguments of each call, in one round trip.

        Return the answers; a call that needs a damaged key has Damaged in place of one.

        Raises:
            RedisError: Redis can't be used; some of the calls may have been run.
        """
        answers: list[Any] = [NoScriptError()] * len(calls)
        while missing := [n for n, answer in enumerate(answers) if is_unknown_script(answer)]:
            if script not in self._hashes:
                self._hashes[script] = self.client.script_load(script)
            pipeline = self.client.pipeline(transaction=False)
            for number in missing:
                keys, arguments = calls[number]
                pipeline.evalsha(self._hashes[script], len(keys), *keys, *arguments)
            for number, answer in zip(missing, pipeline.execute(False), strict=True):
                answers[number] = answer
                if is_unknown_script(answer):  # Redis was restarted
                    self._hashes.pop(script, None)
        for number, answer in enumerate(answers):
            if isinstance(answer, RedisError):
                error = classify_call_error(answer, calls[number][0])
                if not isinstance(error, DamagedKey) or error.is_shared:
                    raise error
                answers[number] = self.report_damage(error)
        return answers

    def run_script(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script once and return its answer.

        Raises:
            Damaged: it needs a key that is damaged.
            RedisError: Redis can't be used.
        """
        (answer,) = self.run_pipelined(script, (keys, arguments))
        if isinstance(answer, Damaged):
            raise answer
        return answer

    def close(self) -> None:
        """Close the idle connections. Commands that are running may still be answered."""
        self.client.connection_pool.disconnect(inuse_connections=False)


def make_pool(url: str, patience: float) -> redis.BlockingConnectionPool:
    """Return a pool for `url`, without connecting.

    Raises:
        StoreError: the URL is wrong.
    """
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=patience,  # until a connection is free
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),  # Redis Cloud only
        )
        pool.make_connection()  # type: ignore[no-untyped-call]  # finds unknown options
    except (ValueError, TypeError, RedisError) as error:
        raise StoreError(
            f"CHATAPP_STORE={redact(url)} is not the URL of a Redis ({error}); "
            "set it to redis://HOST:PORT/DATABASE"
        ) from None
    return pool


def is_unknown_script(answer: Any) -> bool:
    return isinstance(answer, NoScriptError)


def redact(url: str) -> str:
    """Return the URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":…@", 1)


def store_error(url: str, error: RedisError) -> StoreError:
    """Return the line for the operator that names the URL, the fault and the remedy."""
    text = error_text(error)
    match error:
        case AuthenticationError() | NoPermissionError():
            fault = f"requires another user or password ({text}); put them into CHATAPP_STORE"
        case OutOfMemoryError():
            fault = "is full; raise maxmemory in redis.conf, or keep less (CHATAPP_RETENTION_DAYS)"
        case ReadOnlyError():
            fault = "is a replica, which accepts no writes; set CHATAPP_STORE to its master"
        case BusyLoadingError():
            fault = "is still loading its data; wait until it has finished"
        case DamagedKey():
            fault = f"has a key that the chat can't use: {text}"
        case ResponseError() if text.startswith("MISCONF"):
            fault = f"can't write to its disk ({text}); free some space there"
        case ResponseError():
            fault = f"refuses commands ({text}); set CHATAPP_STORE to another database"
        case _:
            fault = f"can't be reached ({text}); start Redis there, or correct CHATAPP_STORE"
    return StoreError(f"{redact(url)} {fault}")
