"""Two nodes behind nginx, with the configuration in `deploy/`."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import pytest
import socketio
from support.chaos.faults import Cluster, cluster
from support.chaos.reconnecting import ClientGroup, read_log
from support.raw import Polling, RawWebSocket, eventually, exchange, refused_upgrade, request
from support.reverse_proxies import Nginx, exchange_messages, replace
from support.servers import Server

RECONNECT_DELAY = (0.5, 1.5)
"""Seconds before the first reconnection of socket.io's clients."""
PLACES = ["", "path", "tls", "tls and path"]
SENDERS = 20


@pytest.fixture
def behind(tmp_path):
    """A cluster behind nginx. Each address but loopback may have one connection."""
    (tmp_path / "nginx").mkdir()
    with cluster(tmp_path, TRUSTED_PROXIES="1", MAX_CONNECTIONS_PER_ADDRESS="1") as found:
        nginx = Nginx(tmp_path / "nginx", found.nodes)
        yield found, nginx
        nginx.stop()


def test_all_transports_work_at_all_places(behind):
    _, nginx = behind
    for place in PLACES:
        exchange_messages(nginx, "tls" in place, "/chat" if "path" in place else "")


def test_port_80_redirects_to_tls(tmp_path, behind):
    found, _ = behind
    (tmp_path / "another").mkdir()
    nginx = Nginx(tmp_path / "another", found.nodes, redirects=True)
    try:
        status, headers, _ = request(nginx, "GET", "/r/tea?x=1", Host="chat.example")
        assert (status, headers["location"]) == (308, "https://chat.example/r/tea?x=1")
    finally:
        nginx.stop()


def test_forwarding_headers_of_clients_are_dropped(behind):
    _, nginx = behind
    page = exchange(
        nginx,
        b"GET / HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n"
        b"X-Forwarded-Prefix: /elsewhere\r\nX-Forwarded-Host: elsewhere\r\n\r\n",
    )
    assert b'data-socket-path="/socket.io/"' in page
    handshake = "/socket.io/?EIO=4&transport=polling"
    for origin, status in {"http://127.0.0.1": 200, "http://elsewhere": 403}.items():
        claims = {"Host": "127.0.0.1", "X_Forwarded_Host": "elsewhere", "Origin": origin}
        assert request(nginx, "GET", handshake, **claims)[0] == status
    for _ in range(2):
        assert request(nginx, "GET", handshake, X_Forwarded_For="203.0.113.9")[0] == 200


class StrictNginx(Nginx):
    """nginx with a low bound on what one client has open."""

    bound = 5

    def configuration(self, text: str, folder: Path, redirects: bool) -> str:
        text = super().configuration(text, folder, redirects)
        return replace(text, {"limit_conn clients 544;": f"limit_conn clients {self.bound};"})


def test_connections_of_one_client_are_bounded(tmp_path, behind):
    found, _ = behind
    (tmp_path / "another").mkdir()
    nginx = StrictNginx(tmp_path / "another", found.nodes)
    path = "/socket.io/?EIO=4&transport=websocket"
    try:
        open_ones = [RawWebSocket(nginx) for _ in range(nginx.bound)]
        assert refused_upgrade(nginx, path)[0] == 429
        assert request(nginx, "GET", "/healthz")[0] == 429
        open_ones.pop().close()
        eventually(lambda: request(nginx, "GET", "/healthz")[0] == 200)
        for one in open_ones:
            one.close()
    finally:
        nginx.stop()


def test_large_bodies_are_refused_by_the_chat(behind):
    _, nginx = behind
    poller = Polling(nginx)
    assert poller.post("4" * 65536)[0] == 400  # no event, but not too large
    assert Polling(nginx).post("4" * 65537) == (413, "")
    assert Polling(nginx).post("4" * 900_000) == (413, "")


def test_connections_stay_while_redis_is_down(behind):
    """Nodes that answer 503 to readiness checks stay in nginx's upstream."""
    found, nginx = behind
    sitting, poller = RawWebSocket(nginx), Polling(nginx)
    found.redis.stop()
    for node in found.nodes:
        eventually(lambda node=node: node.get("/readyz")[0] == 503)
    for _ in range(4):
        assert request(nginx, "GET", "/readyz")[0] == 503
        assert request(nginx, "GET", "/healthz")[0] == 200
        assert poller.is_alive()
        RawWebSocket(nginx).sock.close()
    sitting.send('421["setUsername","Ann"]')
    assert "unavailable" in sitting.receive_until("431")[-1]
    found.redis.start()
    sitting.sock.close()


def test_clients_of_a_stopped_node_move_to_the_other(behind):
    found, nginx = behind
    with ClientGroup([nginx], senders=SENDERS, pause=0.1) as group:
        found.nodes[0].stop()
        group.wait_for_progress(within=10)
        print(group.check())
        moved = [person for person in group.clients if person.disconnections]
        assert 0 < len(moved) < len(group.clients), "all clients were at one node"


def test_rolling_restart_loses_nothing(behind):
    """Restart both nodes in turn under load, and print how long clients were cut off."""
    found, nginx = behind
    poller = Poller(nginx)
    with ClientGroup([nginx], senders=SENDERS, pause=0.1, reconnect_delay=RECONNECT_DELAY) as group:
        for node in found.nodes:
            before = breaks(group)
            restart(found, node)
            group.wait_for_progress(within=10)
            assert breaks(group) > before, "no client was at this node"
        said = group.check()
        refusals = [code for person in group.clients for code in person.refusals]
        assert not refusals, "a name was taken, or the store unavailable"
        log = read_log(nginx)
        eventually(lambda: poller.received.keys() >= log.keys(), 10)
        poller.disconnect()
    assert {number: poller.received[number] for number in log} == log
    silences = sorted(max(person.gaps) for person in group.clients)
    p99 = statistics.quantiles(silences, n=100, method="inclusive")[98]
    print(
        f"{said}; {breaks(group)} connections broke, {poller.visits - 1} of the polling client; "
        f"the longest silence of a client: median {statistics.median(silences):.2f} s, p99 "
        f"{p99:.2f} s"
    )
    assert p99 < 10


def breaks(group: ClientGroup) -> int:
    return sum(len(person.disconnections) for person in group.clients)


def restart(found: Cluster, node: Server) -> None:
    begun = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - begun < 5
    found.restart(node)
    eventually(lambda: node.get("/readyz")[0] == 200)


class Poller:
    """A client over polling that joins with `since` after each reconnection."""

    def __init__(self, nginx: Nginx) -> None:
        self.received: dict[int, tuple[str, str]] = {}
        self.visits = 0
        self._lock = threading.Lock()
        self._client = socketio.Client(reconnection_delay=1, reconnection_delay_max=1)
        self._client.on("connect", self._on_connect)
        self._client.on("newmsg", self._on_message)
        self._client.connect(f"http://127.0.0.1:{nginx.port}", transports=["polling"])

    def disconnect(self) -> None:
        self._client.disconnect()

    def _on_connect(self) -> None:
        self.visits += 1
        self._request_page()

    def _request_page(self) -> None:
        whole = 0
        with self._lock:
            while whole + 1 in self.received:
                whole += 1
        self._client.emit("join", {"since": whole, "limit": 200}, callback=self._on_page)

    def _on_page(self, page: dict) -> None:
        for said, number in page["messages"]:
            self._on_message(said, number)
        if page["more"]:
            self._request_page()

    def _on_message(self, said: dict, number: dict) -> None:
        entry = (number.get("key", ""), said["message"])
        with self._lock:
            assert self.received.setdefault(number["id"], entry) == entry
