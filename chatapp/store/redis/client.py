"""The Redis that a chat is kept in: connected to, and checked before anything is kept there."""

from __future__ import annotations

import logging
import re
import secrets
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
from chatapp.store.redis.damage import DamagedKey, classify_call_error, error_text, reading_key
from chatapp.store.redis.scripts import EPOCH, PREFIX, SCHEMA_KEY, SCHEMA_VERSION

T = TypeVar("T")
logger = logging.getLogger(__name__)
MIN_REDIS_VERSION = 7
EPOCH_TEXT = re.compile(rb"[A-Za-z0-9_-]+")
MAX_CONNECTIONS = 50
MAX_CONCURRENT_QUERIES = 40
"""At once; more wait. The other connections are for what looks after Redis."""


class Server:
    """The Redis at `url`. Whatever takes it longer than `patience` seconds fails; nothing is tried
    again by itself, as nobody would know whether it was done twice. Once it's known to be away,
    nobody waits for it until `probe` has found it again.

    An error about one key never makes it count as away (damage.py): what needs that key gets
    Damaged, and a line in the log says which it is, once a minute at most.

    Raises:
        StoreError: the URL is none.
    """

    def __init__(self, url: str, patience: float) -> None:
        self.url = url
        self.is_down = False
        self._scripts: dict[str, Any] = {}  # what Redis calls them, by their text
        self._slots = threading.Semaphore(MAX_CONCURRENT_QUERIES)
        self.damage = DamageLog()
        try:
            pool = redis.BlockingConnectionPool.from_url(
                url,
                max_connections=MAX_CONNECTIONS,
                timeout=patience,  # until one of them is free
                socket_timeout=patience,
                socket_connect_timeout=patience,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
                maint_notifications_config=MaintNotificationsConfig(enabled=False),  # a service's
            )
            # Without connecting: this finds options that there aren't.
            pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, RedisError) as error:
            raise StoreError(
                f"CHATAPP_STORE={redact(url)} is no URL of a Redis ({error}); "
                "set it to redis://HOST:PORT/DATABASE"
            ) from None
        self.client = redis.Redis(connection_pool=pool)

    def query(self, query: Callable[[], T]) -> T:
        """What Redis answers.

        Raises:
            Damaged: a key that this is about can't be used.
            Unavailable: Redis doesn't answer in time, or is away.
        """
        if self.is_down:
            raise Unavailable
        with self._slots:  # whoever waits here doesn't wait for Redis
            if self.is_down:
                raise Unavailable
            with self.translate_errors():
                return query()

    def probe(self, query: Callable[[], Any]) -> None:
        """Ask it even where it's away: with an answer it's back.

        Raises:
            Unavailable: it doesn't answer in time.
        """
        with self.translate_errors():
            query()
        if self.is_down:
            logger.warning("%s accepts messages again", redact(self.url))
        self.is_down = False

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Within it Redis is asked, away or not: where it doesn't answer it is away, which is said
        once.

        Raises:
            Damaged: a key that this is about can't be used.
            Unavailable: Redis doesn't answer.
        """
        try:
            yield
        except RedisError as error:
            if isinstance(error, DamagedKey) and not error.is_shared:
                raise self.report_damage(error) from None
            if not self.is_down:
                trouble = store_error(self.url, error)
                logger.error("%s; messages are refused until that is fixed", trouble)
            self.is_down = True
            raise Unavailable from None

    def report_damage(self, damage: DamagedKey) -> Damaged:
        """Log what is wrong, unless it was logged a short while ago: what a client gets of it."""
        line = f"{redact(self.url)}: {damage}; what needs it is unavailable until then"
        self.damage.report(damage.command, line)
        return Damaged()

    def run_pipelined(self, script: str, *calls: tuple[list[str], list[Any]]) -> list[Any]:
        """Run a script with the keys and arguments of each call, all in one round trip. A call that
        met a damaged key has Damaged in place of its answer.

        Raises:
            RedisError: Redis can't be used; some of the calls may have been run.
        """
        answers: list[Any] = [NoScriptError()] * len(calls)
        while missing := [n for n, answer in enumerate(answers) if is_missing_script(answer)]:
            if script not in self._scripts:
                self._scripts[script] = self.client.script_load(script)
            pipeline = self.client.pipeline(transaction=False)
            for number in missing:
                keys, arguments = calls[number]
                pipeline.evalsha(self._scripts[script], len(keys), *keys, *arguments)
            for number, answer in zip(missing, pipeline.execute(False), strict=True):
                answers[number] = answer
                if is_missing_script(answer):  # Redis has been started anew
                    self._scripts.pop(script, None)
        for number, answer in enumerate(answers):
            if isinstance(answer, RedisError):
                error = classify_call_error(answer, calls[number][0])
                if not isinstance(error, DamagedKey) or error.is_shared:
                    raise error
                answers[number] = self.report_damage(error)
        return answers

    def run_script(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script once.

        Raises:
            Damaged: it met a damaged key.
            RedisError: Redis can't be used.
        """
        (answer,) = self.run_pipelined(script, (keys, arguments))
        if isinstance(answer, Damaged):
            raise answer
        return answer

    def close(self) -> None:
        """Let go of it; what is being asked may still be answered."""
        self.client.connection_pool.disconnect(inuse_connections=False)


def is_missing_script(answer: Any) -> bool:
    return isinstance(answer, NoScriptError)


def redact(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":…@", 1)


def prepare(server: Server) -> str:
    """The epoch of what is kept there, begun if nothing is.

    Raises:
        StoreError: it can't be reached or used, or what's there isn't ours.
    """
    try:
        check_server(server.client, server.url)
        check_schema(server.client, server.url)
        server.client.set(EPOCH, secrets.token_urlsafe(9), nx=True)
        with reading_key(EPOCH):
            epoch: Any = server.client.get(EPOCH)
        if not EPOCH_TEXT.fullmatch(epoch):
            raise DamagedKey(f"GET {EPOCH}", f"{EPOCH} isn't the name of a numbering")
        return str(epoch.decode())
    except RedisError as error:
        raise store_error(server.url, error) from None


def check_server(server: redis.Redis, url: str) -> None:
    """Refuse one that is too old, or may forget."""
    about: Any = server.info("server")
    version = str(about["redis_version"])
    if int(version.partition(".")[0]) < MIN_REDIS_VERSION:
        raise StoreError(
            f"{redact(url)} is Redis {version}; the chat needs {MIN_REDIS_VERSION} or newer: "
            "upgrade it"
        )
    memory: Any = server.info("memory")
    policy = memory["maxmemory_policy"]
    if policy != "noeviction":
        raise StoreError(
            f"{redact(url)} may drop what it keeps (maxmemory-policy {policy}); "
            "set that to noeviction in redis.conf"
        )


def check_schema(server: redis.Redis, url: str) -> None:
    """Refuse what another program or a newer version keeps under our prefix."""
    with reading_key(SCHEMA_KEY):
        there: Any = server.get(SCHEMA_KEY)
    if there is None:
        found = next(server.scan_iter(f"{PREFIX}*", count=1000), None)
        if (
            found is not None and server.get(SCHEMA_KEY) is None
        ):  # else another of ours has just begun
            raise StoreError(
                f"{redact(url)} has keys of another program that begin with {PREFIX}; "
                "set CHATAPP_STORE to another database"
            )
        server.set(SCHEMA_KEY, SCHEMA_VERSION, nx=True)
    elif there != SCHEMA_VERSION.encode():
        schema = there.decode("ascii", "replace")[:20]
        raise StoreError(
            f"{redact(url)} was written by a newer version of the chat (schema {schema}); "
            "upgrade this one, or set CHATAPP_STORE to another database"
        )


def store_error(url: str, error: RedisError) -> StoreError:
    """What's wrong with it, in one line."""
    said = error_text(error)
    match error:
        case AuthenticationError() | NoPermissionError():
            wrong = f"wants another user or password ({said}); put them into CHATAPP_STORE"
        case OutOfMemoryError():
            wrong = "is full; raise maxmemory in redis.conf, or keep less (CHATAPP_RETENTION_DAYS)"
        case ReadOnlyError():
            wrong = "is a replica, which takes nothing; set CHATAPP_STORE to its master"
        case BusyLoadingError():
            wrong = "is still reading what it keeps; wait until it has"
        case DamagedKey():
            wrong = f"has a key that the chat can't use: {said}"
        case ResponseError() if said.startswith("MISCONF"):
            wrong = f"can't write to its disk ({said}); make room there"
        case ResponseError():
            wrong = f"refuses ({said}); set CHATAPP_STORE to another database"
        case _:
            wrong = f"can't be reached ({said}); start Redis there, or correct CHATAPP_STORE"
    return StoreError(f"{redact(url)} {wrong}")
