"""Checks a Redis database at start-up, and creates the chat's first keys."""

from __future__ import annotations

import re
import secrets
from typing import Any

import redis
from redis.exceptions import RedisError

from chatapp.errors import StoreError
from chatapp.store.redis.client import redact, store_error
from chatapp.store.redis.damage import DamagedKey, reading_key
from chatapp.store.redis.scripts import EPOCH, PREFIX, SCHEMA, SCHEMA_VERSION

MIN_REDIS_VERSION = 7
EPOCH_TEXT = re.compile(rb"[A-Za-z0-9_-]+")
EPOCH_BYTES = 9
"""72 random bits, as text of 12 characters."""


def prepare(client: redis.Redis, url: str) -> str:
    """Return the epoch of the database, which is created if it is empty.

    Raises:
        StoreError: the database can't be reached or used, or belongs to another program.
    """
    try:
        check_server(client, url)
        check_schema(client, url)
        client.set(EPOCH, new_epoch(), nx=True)
        with reading_key(EPOCH):
            epoch: Any = client.get(EPOCH)
        if not EPOCH_TEXT.fullmatch(epoch):
            raise DamagedKey(f"GET {EPOCH}", f"{EPOCH} isn't the name of an epoch")
        return str(epoch.decode())
    except RedisError as error:
        raise store_error(url, error) from None


def new_epoch() -> str:
    return secrets.token_urlsafe(EPOCH_BYTES)


def check_server(client: redis.Redis, url: str) -> None:
    """Refuse a Redis that is too old, or that may evict keys."""
    about: Any = client.info("server")
    version = str(about["redis_version"])
    if int(version.partition(".")[0]) < MIN_REDIS_VERSION:
        raise StoreError(
            f"{redact(url)} is Redis {version}; the chat needs {MIN_REDIS_VERSION} or newer: "
            "upgrade it"
        )
    memory: Any = client.info("memory")
    policy = memory["maxmemory_policy"]
    if policy != "noeviction":
        raise StoreError(
            f"{redact(url)} may evict keys (maxmemory-policy {policy}); "
            "set that to noeviction in redis.conf"
        )


def check_schema(client: redis.Redis, url: str) -> None:
    """Refuse keys of another program, or of a newer version, that begin with PREFIX."""
    with reading_key(SCHEMA):
        found: Any = client.get(SCHEMA)
    if found is None:
        key = next(client.scan_iter(f"{PREFIX}*", count=1000), None)
        if key is not None and client.get(SCHEMA) is None:  # another node may just have set it
            raise StoreError(
                f"{redact(url)} has keys of another program that begin with {PREFIX}; "
                "set CHATAPP_STORE to another database"
            )
        client.set(SCHEMA, SCHEMA_VERSION, nx=True)
    elif found != SCHEMA_VERSION.encode():
        schema = found.decode("ascii", "replace")[:20]
        raise StoreError(
            f"{redact(url)} was written by a newer version of the chat (schema {schema}); "
            "upgrade this one, or set CHATAPP_STORE to another database"
        )
