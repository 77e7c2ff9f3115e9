"""Two clients chat over each transport, under each kind of server.

The clients are python-socketio's and, under Node, socket.io-client 3 and 4.
"""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import trustme
from support.clients import SocketIOClient
from support.servers import KINDS, ROOT, UNLIMITED, Server

TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_two_python_clients_chat(server, transports):
    ann, bo = (SocketIOClient(server.url, *transports) for _ in range(2))
    try:
        assert ann.set_name("Ann")["ok"]
        assert bo.set_name("ann")["code"] == "name_taken"
        assert bo.wait_for("userExists") == [("ann username is taken! Try some other username.",)]
        assert bo.set_name("Bo")["user"] == "Bo"
        for n in range(20):
            sender = (ann, bo)[n % 2]
            assert sender.call("msg", {"message": f"{n} <b>😀</b>", "user": "?"})["ok"]
        expected = [f"{n} <b>😀</b>" for n in range(20)]
        assert ann.wait_for_messages(20) == bo.wait_for_messages(20) == expected
        numbers = [number["id"] for _, number in ann.wait_for("newmsg", count=20)]
        assert numbers == list(range(numbers[0], numbers[0] + 20))
        assert ann.client.transport() == transports[-1]
    finally:
        ann.disconnect()
        bo.disconnect()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
@pytest.mark.parametrize("package", ["socket.io-client", "socket.io-client-3"])
def test_two_javascript_clients_chat(server, package, transports):
    run_javascript_chat(package, server.url, *transports)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
@pytest.mark.parametrize("kind", KINDS)
def test_two_javascript_clients_chat_over_tls(tmp_path, kind, transports):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    names = ("--cert", "--key") if kind == "flask" else ("--certfile", "--keyfile")
    arguments = [word for name in names for word in (name, str(tmp_path / "pem"))]
    server = Server(kind, tmp_path, UNLIMITED, *arguments)
    trusted = {"NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem")}
    try:
        run_javascript_chat("socket.io-client", server.url, *transports, **trusted)
    finally:
        server.stop()
    # The servers log a traceback for a client that closes TLS without close_notify.
    raised_in = [
        text.rpartition('  File "')[2].partition("\n")[0] for text in server.new_tracebacks()
    ]
    assert not [place for place in raised_in if "/chatapp/" in place]


def run_javascript_chat(package: str, url: str, *transports: str, **environ: str) -> None:
    done = subprocess.run(
        ["node", ROOT / "tests/clients/two-clients.mjs", package, url, *transports],
        env=os.environ | environ,
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert [answer.get("code", "set") for answer in result["named"]] == ["set", "name_taken", "set"]
    first, second = result["heard"]
    assert first == second
    assert [text for text, _ in first] == [f"{n} <b>😀</b>" for n in range(20)]
    ids = [number for _, number in first]
    assert ids == list(range(ids[0], ids[0] + 20))
    assert result["reason"] == "io client disconnect"


def test_disconnect_frees_the_name(server):
    ann, bo = SocketIOClient(server.url, "websocket"), SocketIOClient(server.url, "polling")
    ann.set_name("Gone")
    bo.set_name("Stays")
    ann.disconnect()
    bo.wait_for("userLeft")
    assert bo.set_name("gone")["ok"]
    bo.disconnect()


def test_page_and_its_files_are_served(server):
    status, _, page = server.get("/")
    assert status == 200
    static = re.search(r'src="(/static/\w+)/js/main.js"', page.decode())[1]
    for part in (
        "js/main.js",
        "js/words/ar.js",
        "style.css",
        "icon.svg",
        "vendor/socket.io.esm.min.js",
        "vendor/socket.io-client.LICENSE",
    ):
        assert server.get(f"{static}/{part}")[0] == 200


def test_foreign_origin_is_refused_over_both_transports(server):
    foreign = {"Origin": "http://evil.example"}
    polling = "/socket.io/?EIO=4&transport=polling"
    assert server.get(polling, **foreign)[0] == 403
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    websocket = "/socket.io/?EIO=4&transport=websocket"
    assert server.get(websocket, **upgrade, **foreign)[0] == 403
    own = {"Origin": server.url}
    assert server.get(polling, **own)[0] == 200
