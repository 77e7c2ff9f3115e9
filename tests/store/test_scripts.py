"""The keys of existing data on Redis, and where Lua gets their prefix from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("redis")

from chatapp.store.redis import scripts

LUA = sorted(Path(scripts.__file__).parent.glob("*.lua"))


def test_keys_are_those_of_existing_data():
    keys = [scripts.SCHEMA, scripts.EPOCH, scripts.NEWEST, scripts.NAMES, scripts.NODES]
    assert keys == [f"chatapp:{name}" for name in ("schema", "epoch", "newest", "names", "nodes")]
    of_room = [scripts.log_key, scripts.keys_key, scripts.users_key, scripts.channel]
    names = [f"chatapp:{name}:tea" for name in ("log", "keys", "users", "said")]
    assert [key("tea") for key in of_room] == names
    assert (scripts.at_key("n"), scripts.DUE) == ("chatapp:at:n", "chatapp:due")
    assert scripts.SCHEMA_VERSION == "1"


@pytest.mark.parametrize("path", LUA, ids=lambda path: path.name)
def test_prefix_reaches_lua_from_python(path):
    assert "chatapp:" not in path.read_text()
    assert "local PREFIX = 'chatapp:'" in scripts.load(path.name)
