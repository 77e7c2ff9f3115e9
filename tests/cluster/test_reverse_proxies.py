"""Two nodes behind each proxy that `deploy/` has a configuration for."""

from __future__ import annotations

import contextlib
import http.client

import pytest
from support.chaos.faults import cluster
from support.raw import BASE, RawWebSocket, exchange, request
from support.reverse_proxies import Caddy, HAProxy, Nginx, ReverseProxy, exchange_messages

BOUND = 16
"""Sessions of one address at a node."""
KINDS = [
    Nginx,
    pytest.param(HAProxy, marks=pytest.mark.full),
    pytest.param(Caddy, marks=pytest.mark.full),
]


@pytest.fixture(scope="module", params=KINDS)
def behind(request, tmp_path_factory):
    """A cluster behind a proxy. Loopback addresses are clients like all others."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "reverse-proxy").mkdir()
    limits = {"LIMIT_LOOPBACK": "1", "MAX_CONNECTIONS_PER_ADDRESS": str(BOUND)}
    with cluster(folder, TRUSTED_PROXIES="1", **limits) as found:
        proxy = request.param(folder / "reverse-proxy", found.nodes)
        yield found, proxy
        proxy.stop()


def handshake_from(address: str, proxy: ReverseProxy, **headers: str) -> int:
    """Return the status of a handshake of a client at a loopback address."""
    source = (address, 0)
    link = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=15, source_address=source)
    with contextlib.closing(link):
        link.request(
            "GET", BASE, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )
        return link.getresponse().status


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_clients_of_all_transports_meet(behind, is_tls):
    _, proxy = behind
    exchange_messages(proxy, is_tls)


def test_sessions_are_counted_by_the_clients_address(behind):
    _, proxy = behind
    statuses = [handshake_from("127.0.0.2", proxy) for _ in range(BOUND + 1)]
    assert statuses == [200] * BOUND + [429]
    assert handshake_from("127.0.0.3", proxy) == 200


def test_address_that_a_client_claims_is_not_counted(behind):
    _, proxy = behind
    names = ("X_Forwarded_For", "Forwarded", "X_Real_Ip", "CF_Connecting_IP", "True_Client_Ip")
    statuses = []
    for number in range(BOUND + 1):
        address = f"203.0.113.{number}"
        claims = dict.fromkeys(names, address) | {"Forwarded": f"for={address}"}
        statuses.append(handshake_from("127.0.0.4", proxy, **claims))
    assert statuses == [200] * BOUND + [429]


def test_header_names_with_underscores_are_dropped(behind):
    _, proxy = behind
    raw = (
        f"GET {BASE} HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n"
        "Origin: http://elsewhere\r\nX_Forwarded_Host: elsewhere\r\n\r\n"
    )
    assert b" 403 " in exchange(proxy, raw.encode()).partition(b"\r\n")[0]


def test_origin_of_the_proxys_host_may_connect(behind):
    _, proxy = behind
    for host, origin, status in [
        ("chat.example", "http://chat.example", 200),
        ("chat.example:8080", "http://chat.example:8080", 200),
        ("chat.example", "https://chat.example", 403),
        ("chat.example", "http://elsewhere", 403),
        ("chat.example", f"http://127.0.0.1:{proxy.port}", 403),
    ]:
        claims = {"X_Forwarded_Host": "elsewhere", "X_Forwarded_Proto": "https"}
        found = handshake_from("127.0.0.5", proxy, Host=host, Origin=origin, **claims)
        assert found == status, origin


def test_prefix_that_a_client_claims_is_dropped(behind):
    _, proxy = behind
    status, headers, _ = request(proxy, "GET", "/r/TEA", X_Forwarded_Prefix="/elsewhere")
    assert (status, headers["location"]) == (302, "/r/tea")
    _, _, page = request(proxy, "GET", "/", X_Forwarded_Prefix="/elsewhere")
    assert 'data-socket-path="/socket.io/"' in page


def test_new_clients_go_to_the_node_that_is_left(behind):
    found, proxy = behind
    node = found.nodes[0]
    assert node.stop() == 0
    try:
        for number in range(6, 16):
            assert handshake_from(f"127.0.0.{number}", proxy) == 200
            RawWebSocket(proxy).close()
    finally:
        found.restart(node)
