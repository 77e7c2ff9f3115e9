"""Which host names a chat on a loopback address is served under."""

from __future__ import annotations

import socket

import pytest

from chatapp import create_app


@pytest.fixture
def tcp():
    with socket.socket(socket.AF_INET) as sock:
        yield sock


def status_of(config: dict, sock: socket.socket | None, host: str | None, listening: str) -> int:
    """Return the status of a request that came over `sock` to a server on `listening`."""
    environ = {"gunicorn.socket": sock} if sock else {}
    environ |= {"SERVER_NAME": listening, "HTTP_HOST": host}
    app = create_app({"TESTING": True, **config})
    return app.test_client().get("/healthz", environ_overrides=environ).status_code


@pytest.mark.parametrize("listening", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:3000", 200),
        ("LOCALHOST", 200),
        ("localhost.:3000", 200),
        ("chat.localhost", 200),
        ("127.0.0.1:3000", 200),
        ("127.8.9.1", 200),
        ("[::1]:3000", 200),
        ("[::1]", 200),
        ("chat.test", 200),
        ("Chat.Test:3000", 200),
        ("other.test", 403),
        ("evil.chat.test", 403),
        ("evil.example", 403),
        ("evil.example:3000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("evillocalhost", 403),
        ("0.0.0.0:3000", 403),
        ("192.0.2.1:3000", 403),
        ("[2001:db8::1]:3000", 403),
        ("", 403),
        ("unknown", 403),
        ("<local>", 403),
    ],
)
def test_host_must_be_known_on_a_loopback_address(tcp, listening, host, status):
    assert status_of({"HOSTS": "chat.test"}, tcp, host, listening) == status


def test_any_host_is_served_on_other_addresses(tcp):
    for listening in ("0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "chat.example"):
        assert status_of({}, tcp, "evil.example", listening) == 200


def test_any_host_is_served_behind_a_trusted_proxy(tcp):
    assert status_of({"TRUSTED_PROXIES": 1}, tcp, "chat.example", "127.0.0.1") == 200


def test_any_host_is_served_on_a_unix_socket():
    """Under gunicorn SERVER_NAME is then what the client says."""
    with socket.socket(socket.AF_UNIX) as sock:
        assert status_of({}, sock, "evil.example", "127.0.0.1") == 200


def test_any_host_is_served_to_a_test_client():
    assert status_of({}, None, "evil.example", "localhost") == 200


def test_refusal_is_plain_and_logged_once(tcp, caplog):
    app = create_app({"TESTING": True})
    overrides = {"gunicorn.socket": tcp, "SERVER_NAME": "127.0.0.1", "HTTP_HOST": "evil.\n" * 99}
    for path in ("/", "/socket.io/?EIO=4&transport=polling"):
        answer = app.test_client().get(path, environ_overrides=overrides)
        assert (answer.status_code, answer.mimetype) == (403, "text/plain")
        assert "CHATAPP_HOSTS" in answer.text
        assert answer.text.count("\n") == 1
        assert "evil" not in answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert app.test_client().head(path, environ_overrides=overrides).data == b""
    (line,) = caplog.messages
    assert "evil.\\n" in line
    assert "CHATAPP_HOSTS" in line
    assert line.isprintable()
    assert len(line) < 600
