"""Parsing of the settings, and the commands and documents that follow from them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatapp import setting_types
from chatapp.cli import main
from chatapp.config import SETTINGS, read
from chatapp.errors import SettingError
from chatapp.limits import Rate
from chatapp.setting_types import Address, StoreURL

REDIS = [
    "redis:",
    "redis://",
    "redis://host:x/0",
    "redis://host/zero",
    "redis://host/0#x",
    "redis://h/1?x=y",
]
BAD = {
    "BIND": ["", "3000", "host:", ":80", "host:99999", "host:1x"],
    "STORE": ["", "memory", "file:/x", "sqlite", *REDIS],
    "NODE_LEASE": ["", "0", "x"],
    "DRAIN_TIME": ["", "0", "x"],
    "NAME_HOLD": ["", "0", "-1", "a while", "1e9"],
    "RETENTION_DAYS": ["", "-1", "1.5", "some"],
    "ALLOWED_ORIGINS": ["example.org", "https://a/path", "ftp://a", "https://a b"],
    "HOSTS": ["http://chat.test", "chat.test:3000", "chat test", "*", "[::1]", "chat.test/x"],
    "ALLOW_EIO3": ["", "2", "-1", "maybe", "10", "y"],
    "PING_INTERVAL": ["", "0", "-1", "soon", "nan", "inf", "100000"],
    "PING_TIMEOUT": ["", "0", "x"],
    "MAX_FRAME_BYTES": ["", "0", "1023", "64k", "1.5", "-1"],
    "MAX_MESSAGE_CHARS": ["", "0", "x"],
    "MAX_NAME_CHARS": ["", "0", "257", "x"],
    "MESSAGE_LIMIT": ["20", "0/10", "20/0", "a/b", "20/10/5", "-1/2"],
    "NAME_LIMIT": ["x"],
    "EVENT_LIMIT": ["x"],
    "MAX_CONNECTIONS": ["", "-1", "all"],
    "MAX_CONNECTIONS_PER_ADDRESS": ["", "-1", "all"],
    "LIMIT_LOOPBACK": ["", "2", "maybe"],
    "RETENTION_MESSAGES": ["", "-1", "many"],
    "TRUSTED_PROXIES": ["", "-1", "yes"],
    "TITLE": ["", "   ", "a\nb", "x" * 101],
}


def test_every_setting_has_bad_values_to_test():
    assert set(BAD) == set(SETTINGS)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_bad_value_is_refused_in_one_line_with_its_name(name, value):
    with pytest.raises(SettingError) as refusal:
        read({}, {"CHATAPP_" + name: value})
    line = str(refusal.value)
    assert line.startswith(f"CHATAPP_{name}={value!r} should be ")
    assert "\n" not in line


def test_defaults():
    settings = read({}, {})
    assert settings.bind == Address("127.0.0.1", 3000)
    assert (settings.ping_interval, settings.ping_timeout) == (20, 10)
    assert settings.max_frame_bytes == 65536
    assert (settings.max_message_chars, settings.max_name_chars) == (4000, 32)
    assert settings.message_limit == Rate(20, 10)
    assert settings.name_limit == Rate(20, 60)
    assert settings.event_limit == Rate(200, 10)
    assert (settings.max_connections, settings.max_connections_per_address) == (10000, 256)
    assert settings.retention_messages == 10000
    assert settings.trusted_proxies == 0
    assert settings.allow_eio3 is True
    assert settings.title == "Chat"


@pytest.mark.parametrize(
    "url", ["redis://host", "rediss://:secret@host:1/2", "rediss://h/1?ssl_ca_certs=ca.pem"]
)
def test_redis_url_is_a_store(url):
    assert read({}, {"CHATAPP_STORE": url}).store == StoreURL(url)


def test_redis_url_without_its_package_is_refused(monkeypatch):
    monkeypatch.setattr(setting_types, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match="pip install 'chatapp"):
        read({}, {"CHATAPP_STORE": "redis://host"})


def test_environment_is_read():
    assert read({}, {"CHATAPP_TITLE": "Pub"}).title == "Pub"


def test_config_takes_precedence_over_the_environment():
    assert read({"TITLE": "Inn"}, {"CHATAPP_TITLE": "Pub"}).title == "Inn"


def test_bad_value_in_config_is_named_without_prefix():
    with pytest.raises(SettingError, match=r"^MAX_NAME_CHARS=None should be "):
        read({"MAX_NAME_CHARS": None}, {})


def test_config_accepts_numbers_and_rates():
    settings = read({"PING_INTERVAL": 0.5, "MAX_NAME_CHARS": 8, "NAME_LIMIT": Rate(1, 2)}, {})
    assert (settings.ping_interval, settings.max_name_chars) == (0.5, 8)
    assert settings.name_limit == Rate(1, 2)


@pytest.mark.parametrize("words", [("1", "0"), ("true", "FALSE"), ("Yes", "no"), (" on", "off ")])
def test_switch_accepts_words_and_booleans(words):
    assert [read({}, {"CHATAPP_ALLOW_EIO3": word}).allow_eio3 for word in words] == [True, False]
    assert [read({"ALLOW_EIO3": is_on}, {}).allow_eio3 for is_on in (True, False)] == [True, False]


def test_empty_rate_is_no_limit():
    assert read({}, {"CHATAPP_MESSAGE_LIMIT": ""}).message_limit is None


def test_testing_has_no_rates_by_default():
    settings = read({"TESTING": True}, {"CHATAPP_NAME_LIMIT": "1/2"})
    assert settings.event_limit is None
    assert settings.name_limit == Rate(1, 2)


def test_ipv6_address():
    assert str(read({}, {"CHATAPP_BIND": "[::1]:80"}).bind) == "[::1]:80"


def test_origins():
    given = "https://Example.org, null,http://localhost:8080/"
    assert read({}, {"CHATAPP_ALLOWED_ORIGINS": given}).allowed_origins == {
        "https://example.org",
        "null",
        "http://localhost:8080",
    }


def test_packet_limit_follows_the_event_limit_and_the_largest_frame():
    assert read({}, {}).packet_limit == Rate(3000, 10)
    assert read({}, {"CHATAPP_EVENT_LIMIT": "500/5"}).packet_limit == Rate(7500, 5)
    assert read({}, {"CHATAPP_MAX_FRAME_BYTES": "2097152"}).packet_limit == Rate(8192, 10)
    assert read({}, {"CHATAPP_EVENT_LIMIT": ""}).packet_limit is None


@pytest.mark.parametrize(
    ("url", "kind", "is_shared"),
    [
        ("memory:", "memory", False),
        ("sqlite:", "sqlite", False),
        ("redis://h", "redis", True),
        ("rediss://h", "redis", True),
    ],
)
def test_store_url_names_its_kind(url, kind, is_shared):
    store = read({"STORE": url}, {}).store
    assert (store.kind, store.is_shared) == (kind, is_shared)


def test_store_url_without_a_path_is_a_file_in_the_instance_folder():
    assert StoreURL("sqlite:").file("/instance") == Path("/instance/chat.sqlite3")
    assert StoreURL("sqlite:a.db").file("/instance") == Path("a.db")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:1/2", "redis://user:***@host:1/2"),
        ("rediss://:s:@x@host", "rediss://:***@host"),
        ("redis://host:1/2", "redis://host:1/2"),
        ("sqlite:/a:b@c", "sqlite:/a:b@c"),
    ],
)
def test_password_of_a_store_is_masked(url, shown):
    assert str(StoreURL(url)) == shown


def test_settings_command_prints_each_setting_as_it_can_be_set():
    given = {"CHATAPP_TITLE": "The inn's", "CHATAPP_STORE": "redis://:secret@host"}
    printed = CliRunner().invoke(main, ["settings"], env=given).stdout
    words = [line for line in printed.splitlines() if line and not line.startswith("#")]
    values = dict(shlex.split(line)[0].split("=", 1) for line in words)
    assert values.keys() == {"CHATAPP_" + name for name in SETTINGS}
    assert (values["CHATAPP_TITLE"], values["CHATAPP_BIND"]) == ("The inn's", "127.0.0.1:3000")
    assert "secret" not in printed
    del values["CHATAPP_STORE"]
    assert read({}, values) == read({"TITLE": "The inn's"}, {})


def test_settings_command_refuses_a_bad_value_in_one_line():
    result = CliRunner().invoke(main, ["settings"], env={"CHATAPP_TITLE": " "})
    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    assert result.stderr.startswith("CHATAPP_TITLE=' ' should be ")


def test_hosts():
    assert read({}, {"CHATAPP_HOSTS": " Chat.test, box ,"}).hosts == {"chat.test", "box"}
    assert read({"HOSTS": ["Chat.test"]}, {}).hosts == {"chat.test"}
