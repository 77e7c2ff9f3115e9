"""The application factory, the pages, and the headers of every answer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from chatapp import create_app
from chatapp.chat.rooms import MAX_ROOM_CHARS, MAX_ROOMS, ROOM_PATTERN
from chatapp.chat.wire import MAX_PAGE
from chatapp.config import SettingError
from chatapp.errors import ChatError, StoreError, Unavailable
from chatapp.web import security


def test_applications_share_no_state():
    first, second = (create_app({"TESTING": True, "TITLE": title}) for title in ("One", "Two"))
    clients = [app.extensions["socketio"].test_client(app) for app in (first, second)]
    for client in clients:
        assert client.emit("setUsername", "Ann", callback=True)["ok"]
    clients[0].get_received()
    clients[1].emit("msg", {"message": "hi"})
    assert clients[0].get_received() == []
    assert clients[0].emit("join", callback=True)["messages"] == []
    assert "One" in first.test_client().get("/").text
    assert "Two" in second.test_client().get("/").text


def test_configuration_of_flask_is_applied():
    assert create_app({"TESTING": True, "SECRET_KEY": "x"}).secret_key == "x"


def test_bad_setting_is_refused():
    with pytest.raises(SettingError, match=r"^MAX_NAME_CHARS='x' should be"):
        create_app({"MAX_NAME_CHARS": "x"})


def test_title_is_escaped(app):
    page = create_app({"TESTING": True, "TITLE": "<b>&"}).test_client().get("/").text
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page


def test_healthz_answers(app):
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_readyz_fails_while_the_store_is_unavailable(app, monkeypatch):
    monkeypatch.setattr("chatapp.store.memory.MemoryLog.available", lambda self: False)
    client = app.test_client()
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_pages_allow_only_get(app, path):
    client = app.test_client()
    assert client.head(path).status_code == 200
    assert client.options(path).status_code == 200
    assert client.post(path).status_code == client.delete(path).status_code == 405


@pytest.mark.parametrize("name", ["tea", "lobby", "a-b_9", "x" * 64])
def test_room_has_a_page(app, name):
    answer = app.test_client().get(f"/r/{name}")
    assert answer.status_code == 200
    assert 'data-view="room"' in answer.text
    assert 'data-view="start"' in app.test_client().get("/").text


def test_room_in_upper_case_redirects_to_lower_case(app):
    answer = app.test_client().get("/r/Tea-Room", environ_overrides={"SCRIPT_NAME": "/chat"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/chat/r/tea-room")


@pytest.mark.parametrize("name", ["", "a b", "a%20b", "x" * 65, "é", "tea/", "tea/x", "%0a", ".."])
def test_bad_room_name_is_not_found(app, name):
    assert app.test_client().get(f"/r/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/nothing", "/r", "/socket.io", "/static/nothing.js"])
def test_unknown_path_is_not_found(app, path):
    assert app.test_client().get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *["/", "/r/tea", "/r/Tea", "/r/a b", "/healthz", "/nothing", "static"],
        *["/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=9", "/socket.io/"],
    ],
)
def test_every_answer_has_the_security_headers(app, path):
    path = static_file(app) if path == "static" else path
    for method in ("GET", "POST"):
        headers = app.test_client().open(path, method=method).headers
        policy = headers.getlist("Content-Security-Policy")
        assert len(policy) == 1
        assert "unsafe-inline" not in policy[0]
        assert "frame-ancestors 'none'" in policy[0]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"]


def test_page_has_no_inline_code_and_no_foreign_resources(app):
    page = app.test_client().get("/").text
    assert "<script>" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"<[^>]*\son\w+=", page)
    assert "http://" not in page
    assert "https://" not in page


def connect(app, **environ):
    query = {"EIO": "4", "transport": "polling"}
    return app.test_client().get("/socket.io/", query_string=query, environ_overrides=environ)


OWN = {"HTTP_HOST": "chat.example", "HTTP_ORIGIN": "http://chat.example"}


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, 200),
        (OWN, 200),
        (OWN | {"HTTP_ORIGIN": "http://CHAT.example"}, 200),
        (OWN | {"HTTP_ORIGIN": "http://chat.example:80"}, 200),
        (OWN | {"HTTP_HOST": "chat.example:80"}, 200),
        (OWN | {"HTTP_ORIGIN": "https://chat.example"}, 403),
        (OWN | {"HTTP_ORIGIN": "http://chat.example:8080"}, 403),
        (OWN | {"HTTP_ORIGIN": "http://evil.example"}, 403),
        (OWN | {"HTTP_ORIGIN": "http://chat.example.evil.example"}, 403),
        (OWN | {"HTTP_ORIGIN": "null"}, 403),
        ({"HTTP_ORIGIN": "http://evil.example", "HTTP_X_FORWARDED_HOST": "evil.example"}, 403),
    ],
)
def test_origin_decides_whether_a_page_may_connect(app, environ, status):
    assert connect(app, **environ).status_code == status


def test_allowed_origin_gets_cors_headers():
    app = create_app({"TESTING": True, "ALLOWED_ORIGINS": "https://other.example,null"})
    for origin in ("https://other.example", "null"):
        answer = connect(app, HTTP_ORIGIN=origin)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    refused = connect(app, HTTP_ORIGIN="https://third.example")
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_star_allows_any_origin_and_is_logged(caplog):
    app = create_app({"TESTING": True, "ALLOWED_ORIGINS": "*"})
    answer = connect(app, HTTP_ORIGIN="https://any.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"
    assert "any page may connect" in caplog.text


def test_refused_origin_is_logged_once_a_minute(app, caplog):
    for number in range(3):
        connect(app, HTTP_HOST="chat.example", HTTP_ORIGIN=f"https://{number}.example")
    (line,) = caplog.messages
    assert "'https://0.example'" in line
    assert "'http://chat.example'" in line
    assert "CHATAPP_TRUSTED_PROXIES" in line
    assert "CHATAPP_ALLOWED_ORIGINS" in line


def test_text_of_a_client_is_escaped_in_the_log(app, caplog):
    connect(app, HTTP_HOST="x" * 9000, HTTP_ORIGIN="http://a\n\x1b[31m\xff" + "y" * 9000)
    (line,) = caplog.messages
    assert "'http://a\\n\\x1b[31m\\xff" in line
    assert line.isprintable()
    assert len(line) < 600


def test_forwarded_headers_are_believed_only_from_trusted_proxies():
    environ = {
        "HTTP_HOST": "inner:3000",
        "HTTP_X_FORWARDED_HOST": "chat.example",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_ORIGIN": "https://chat.example",
    }
    assert connect(create_app({"TESTING": True}), **environ).status_code == 403
    trusting = create_app({"TESTING": True, "TRUSTED_PROXIES": 1})
    assert connect(trusting, **environ).status_code == 200
    forged = environ | {"HTTP_X_FORWARDED_HOST": "chat.example, real.example"}
    assert connect(trusting, **forged).status_code == 403


def test_page_below_a_path_prefix_finds_its_server():
    app = create_app({"TESTING": True, "TRUSTED_PROXIES": 1})
    page = app.test_client().get("/", headers={"X-Forwarded-Prefix": "/chat"}).text
    assert 'data-socket-path="/chat/socket.io/"' in page
    assert f'src="/chat{static_file(app)}"' in page
    assert f'href="/chat{static_file(app, "style.css")}"' in page
    manifest = app.test_client().get(
        "/manifest.webmanifest", headers={"X-Forwarded-Prefix": "/chat"}
    )
    assert manifest.json["start_url"] == "/chat/"
    assert manifest.json["icons"][0]["src"] == f"/chat{static_file(app, 'icon.svg')}"


def test_page_gets_the_bounds_of_the_rules(app):
    page = app.test_client().get("/").text
    body = re.search(r"<body [^>]*>", page)[0]
    assert f'data-room-pattern="{ROOM_PATTERN}"' in body
    assert f'data-max-rooms="{MAX_ROOMS}"' in body
    assert f'data-page-size="{MAX_PAGE}"' in body
    assert re.search(rf'id="open-room" [^>]*maxlength="{MAX_ROOM_CHARS}"', page)


def static_file(app, name: str = "js/main.js") -> str:
    return f"{app.static_url_path}/{name}"


def test_static_files_are_compressed_and_cached(app):
    client, path = app.test_client(), static_file(app)
    answer = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "br"
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    again = {"Accept-Encoding": "gzip, br", "If-None-Match": answer.headers["ETag"]}
    assert client.get(path, headers=again).status_code == 304
    assert "Content-Encoding" not in client.get(path).headers


def test_page_preloads_its_modules_in_the_language_of_the_browser(app):
    page = app.test_client().get("/", headers={"Accept-Language": "fr-CA, en;q=0.5"}).text
    assert '<html lang="fr" dir="ltr">' in page
    asked = re.findall(r'modulepreload" href="/static/\w+/([^"]+)"', page)
    static = Path(app.static_folder)
    modules = {path.relative_to(static).as_posix() for path in (static / "js").rglob("*.js")}
    words = {name for name in modules if "/words/" in name}
    wanted = modules - words - {"js/appearance.js"} | {
        "js/words/fr.js",
        "vendor/socket.io.esm.min.js",
    }
    assert sorted(asked) == sorted(wanted)


def test_reading_settings_imports_nothing_that_gevent_patches():
    code = (
        "import sys, chatapp.serve; print(sorted({'flask', 'socketio', 'ssl'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]", loaded.stderr


@pytest.mark.parametrize("error", [StoreError("it's damaged"), Unavailable()])
def test_worker_with_a_failing_store_exits_without_a_traceback(monkeypatch, error):
    from chatapp import serve  # with the settings of this environment

    worker, chat = Mock(), Mock()
    worker.wsgi.extensions = {"chat": chat}
    chat.open.side_effect = error
    with pytest.raises(SystemExit) as end:
        serve.post_worker_init(worker)
    assert end.value.code == 3  # gunicorn: don't start another


def test_refusals_have_different_codes():
    codes = [kind.code for kind in ChatError.__subclasses__()]
    assert len(set(codes)) == len(codes)


def test_security_headers_are_not_doubled():
    names = [name for name, _ in security.HEADERS]
    assert len(set(names)) == len(names)


def test_compression_settings_of_the_application_take_precedence():
    app = create_app({"TESTING": True, "COMPRESS_BR_LEVEL": 9, "COMPRESS_MIN_SIZE": 1})
    assert (app.config["COMPRESS_BR_LEVEL"], app.config["COMPRESS_MIN_SIZE"]) == (9, 1)
    assert app.config["COMPRESS_ALGORITHM_STREAMING"] == ["br", "zstd", "deflate"]
