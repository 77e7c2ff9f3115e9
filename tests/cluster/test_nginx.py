"""Two nodes behind nginx, with the file of `deploy/`."""

from __future__ import annotations

import ssl
import statistics
import time
from urllib.request import Request, urlopen

import pytest
import websockets.sync.client as websockets
from comeback import Crowd
from faults import Cluster, cluster
from nginx import Nginx
from raw import Polling, RawWebSocket, eventually

AS_CLIENTS_ARE = (0.5, 1.5)
"""Seconds until socket.io's clients connect again, at first."""


@pytest.fixture
def behind(tmp_path):
    """A cluster, and nginx before it."""
    (tmp_path / "nginx").mkdir()
    with cluster(tmp_path, TRUSTED_PROXIES="1") as found:
        nginx = Nginx(tmp_path / "nginx", found.nodes)
        yield found, nginx
        nginx.stop()


def test_the_page_and_both_transports(behind):
    _, nginx = behind
    with urlopen(f"http://127.0.0.1:{nginx.port}/r/tea", timeout=10) as page:
        assert b'id="message-container"' in page.read()
    ann, bo = RawWebSocket(nginx), Polling(nginx)
    ann.send('421["setUsername","Ann"]')
    ann.texts("431")
    assert bo.post('421["setUsername","Bo"]') == (200, "ok")
    heard = ""
    while "431" not in heard:
        heard += bo.poll()[1]
    ann.send('422["msg",{"message":"hi"}]')
    ann.texts("432")
    while "newmsg" not in heard:
        heard += bo.poll()[1]
    assert bo.post('423["msg",{"message":"hi Ann"}]') == (200, "ok")
    assert '"hi Ann"' in ann.texts('42["newmsg"')[-1]
    ann.sock.close()


@pytest.mark.parametrize("place", ["tls", "path", "tls and path"])
def test_below_a_path_and_with_tls(behind, place):
    _, nginx = behind
    trust = ssl.create_default_context()
    nginx.authority.configure_trust(trust)
    is_tls, prefix = "tls" in place, "/chat" if "path" in place else ""
    scheme, port = ("https", nginx.tls_port) if is_tls else ("http", nginx.port)
    site = f"{scheme}://127.0.0.1:{port}"

    def get(path: str) -> str:
        request = Request(site + prefix + path, headers={"Origin": site})
        with urlopen(request, timeout=10, context=trust) as answer:
            return answer.read().decode()

    assert f'data-socket-path="{prefix}/socket.io/"' in get("/")
    assert get("/socket.io/?EIO=4&transport=polling").startswith('0{"sid":')
    address = f"{site}{prefix}/socket.io/?EIO=4&transport=websocket".replace("http", "ws", 1)
    options = {"ssl": trust} if is_tls else {}
    with websockets.connect(address, origin=site, proxy=None, **options) as client:
        for said, heard in {
            "40": "40{",
            '421["setUsername","Ann"]': "431",
            '422["msg",{"message":"hi"}]': "432",
        }.items():
            client.send(said)
            while not client.recv(10).startswith(heard):
                pass


def test_who_is_at_a_node_that_stops_goes_on_at_the_other(behind):
    found, nginx = behind
    with Crowd([nginx], senders=4) as crowd:
        found.nodes[0].stop()
        crowd.goes_on(within=10)
        print(crowd.check())


def test_a_rolling_restart_loses_nothing(behind):
    """Both nodes are restarted, one after the other, under load; the silences are reported."""
    found, nginx = behind
    with Crowd([nginx], senders=20, pause=0.1, away=AS_CLIENTS_ARE) as crowd:
        for node in found.nodes:
            restart(found, node)
            crowd.goes_on(within=10)
        said = crowd.check()
    silences = sorted(max(person.silences) for person in crowd.people)
    p99 = statistics.quantiles(silences, n=100, method="inclusive")[98]
    print(f"{said}; the longest silence that anyone heard: p99 {p99:.2f} s")
    assert p99 < 10


def restart(found: Cluster, node) -> None:
    begun = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - begun < 5
    found.start_again(node)
    eventually(lambda: node.get("/readyz")[0] == 200)
