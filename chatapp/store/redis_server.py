"""The Redis that a chat is kept in: connected to, and checked before anything is kept there."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from chatapp.errors import StoreError
from chatapp.store.redis_scripts import EPOCH, PREFIX, SCHEMA, VERSION

OLDEST = 7


def connect(url: str, patience: float) -> redis.Redis:
    """A pool of connections, each made when it's needed. Whatever takes longer than `patience`
    seconds fails; nothing is tried again by itself, as nobody would know whether it was done twice.

    Raises:
        StoreError: the URL is none.
    """
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
    except ValueError as error:
        raise StoreError(
            f"CHATAPP_STORE={shown(url)} is no URL of a Redis ({error}); "
            "set it to redis://HOST:PORT/DATABASE"
        ) from None


def shown(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":…@", 1)


def prepare(server: redis.Redis, url: str) -> str:
    """The epoch of what is kept there, begun if nothing is.

    Raises:
        StoreError: it can't be reached or used, or what's there isn't ours.
    """
    try:
        check_kind(server, url)
        check_schema(server, url)
        server.set(EPOCH, secrets.token_urlsafe(9), nx=True)
        epoch: Any = server.get(EPOCH)
        return str(epoch.decode())
    except RedisError as error:
        raise store_error(url, error) from None


def check_kind(server: redis.Redis, url: str) -> None:
    """Refuse one that is too old, or may forget."""
    about: Any = server.info("server")
    version = str(about["redis_version"])
    if int(version.partition(".")[0]) < OLDEST:
        raise StoreError(
            f"{shown(url)} is Redis {version}; the chat needs {OLDEST} or newer: upgrade it"
        )
    memory: Any = server.info("memory")
    policy = memory["maxmemory_policy"]
    if policy != "noeviction":
        raise StoreError(
            f"{shown(url)} may drop what it keeps (maxmemory-policy {policy}); "
            "set that to noeviction in redis.conf"
        )


def check_schema(server: redis.Redis, url: str) -> None:
    """Refuse what another program or a newer version keeps under our prefix."""
    there: Any = server.get(VERSION)
    if there is None:
        if next(server.scan_iter(f"{PREFIX}*", count=1000), None) is not None:
            raise StoreError(
                f"{shown(url)} has keys of another program that begin with {PREFIX}; "
                "set CHATAPP_STORE to another database"
            )
        server.set(VERSION, SCHEMA, nx=True)
    elif there.decode() != SCHEMA:
        raise StoreError(
            f"{shown(url)} was written by a newer version of the chat (schema {there.decode()}); "
            "upgrade this one, or set CHATAPP_STORE to another database"
        )


def store_error(url: str, error: RedisError) -> StoreError:
    """What's wrong with it, in one line."""
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        wrong = f"wants another user or password ({error}); put them into CHATAPP_STORE"
    elif isinstance(error, ResponseError):
        wrong = f"refuses ({error}); correct CHATAPP_STORE"
    else:
        wrong = f"can't be reached ({error}); start Redis there, or correct CHATAPP_STORE"
    return StoreError(f"{shown(url)} {wrong}")
