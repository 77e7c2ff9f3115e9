"""What the chat believes of the headers that proxies send."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from chatapp import create_app
from chatapp.web.proxies import TrustedProxies

CLIENT, CLIENT_6 = "203.0.113.7", "2001:db8::7"
SPOOFED = "198.51.100.66"
"""What a client claims as its address."""
PEER = "127.0.0.1"


class Seen(NamedTuple):
    """What the application sees of a request."""

    address: str
    scheme: str
    host: str
    prefix: str = ""


PLAIN = Seen(CLIENT, "http", "chat.example")
TLS = Seen(CLIENT, "https", "chat.example")


class HeaderSet(NamedTuple):
    """The headers of a request as the last of `proxies` proxies sends it, and what they mean."""

    name: str
    headers: dict[str, str]
    seen: Seen
    proxies: int = 1


def headers(host: str = "chat.example", **forwarded: str) -> dict[str, str]:
    """Name headers by Python words: X_Forwarded_For is X-Forwarded-For."""
    return {"Host": host} | {name.replace("_", "-"): value for name, value in forwarded.items()}


HEADER_SETS = [
    # nginx adds nothing by itself but Host and Connection (nginx.org, ngx_http_proxy_module,
    # "proxy_set_header"). These are sent as deploy/nginx.conf says.
    HeaderSet(
        "nginx with our configuration",
        headers(X_Forwarded_For=CLIENT, X_Forwarded_Proto="https", X_Forwarded_Host="chat.example"),
        TLS,
    ),
    # $proxy_add_x_forwarded_for appends to what the client sent (same page, "Embedded Variables").
    HeaderSet(
        "nginx that appends",
        headers(X_Forwarded_For=f"{SPOOFED}, {CLIENT}", X_Forwarded_Proto="http"),
        PLAIN,
    ),
    HeaderSet(
        "nginx below a path",
        headers(X_Forwarded_For=CLIENT, X_Forwarded_Prefix="/chat/"),
        PLAIN._replace(prefix="/chat"),
    ),
    # `option forwardfor` adds a header after those that are there, and servers join equal headers.
    # The host is passed on, and X-Forwarded-Proto as the client sent it unless `http-request
    # set-header` sets it (docs.haproxy.org/2.6/configuration.html, "option forwardfor").
    HeaderSet("HAProxy", headers(X_Forwarded_For=CLIENT, X_Forwarded_Proto="https"), TLS),
    HeaderSet(
        "HAProxy with a client's own header",
        headers(X_Forwarded_For=f"{SPOOFED},{CLIENT}", X_Forwarded_Proto="http"),
        PLAIN,
    ),
    # Caddy replaces all three headers unless the client is in trusted_proxies; it removes the
    # zone of an IPv6 address (caddyserver/caddy, modules/caddyhttp/reverseproxy/reverseproxy.go,
    # addForwardedHeaders).
    HeaderSet(
        "Caddy",
        headers(
            X_Forwarded_For=CLIENT_6, X_Forwarded_Proto="https", X_Forwarded_Host="chat.example"
        ),
        TLS._replace(address=CLIENT_6),
    ),
    # Traefik says ws or wss for WebSockets, and removes a client's own headers unless it's in
    # trustedIPs (traefik/traefik, pkg/middlewares/forwardedheaders/forwarded_header.go).
    *[
        HeaderSet(
            f"Traefik with {said}",
            headers(
                X_Forwarded_For=CLIENT,
                X_Forwarded_Proto=said,
                X_Forwarded_Host="chat.example",
                X_Forwarded_Port="443",
                X_Forwarded_Server="4f1e3ab27c5d",
                X_Real_Ip=CLIENT,
            ),
            PLAIN._replace(scheme=meant),
        )
        for said, meant in [("http", "http"), ("ws", "http"), ("https", "https"), ("wss", "https")]
    ],
    # Envoy with use_remote_address appends (envoyproxy.io, HTTP header manipulation,
    # "x-forwarded-for", example 1). It sends no X-Forwarded-Host unless it rewrites the host.
    HeaderSet(
        "Envoy as an edge proxy",
        headers(
            X_Forwarded_For=f"{SPOOFED}, {CLIENT}",
            X_Forwarded_Proto="https",
            X_Envoy_External_Address=CLIENT,
            X_Request_Id="8b2f1b9e-5d1c-4c57-9d2e-0f1a2b3c4d5e",
        ),
        TLS,
    ),
    HeaderSet(
        "Envoy behind Envoy",
        headers(X_Forwarded_For=f"{SPOOFED}, {CLIENT}, 10.11.12.13", X_Forwarded_Proto="https"),
        TLS,
        proxies=2,
    ),
    # docs.aws.amazon.com, Application Load Balancers, "X-forwarded headers": it appends, IPv6
    # addresses without brackets. It sends no X-Forwarded-Host.
    HeaderSet(
        "AWS application load balancer",
        headers(
            X_Forwarded_For=CLIENT,
            X_Forwarded_Proto="https",
            X_Forwarded_Port="443",
            X_Amzn_Trace_Id="Root=1-67891233-abcdef012345678912345678",
        ),
        TLS,
    ),
    HeaderSet(
        "AWS load balancer, IPv6",
        headers(X_Forwarded_For="2001:DB8::7", X_Forwarded_Proto="https"),
        TLS._replace(address=CLIENT_6),
    ),
    # routing.http.xff_client_port.enabled keeps the client's port (AWS CDK,
    # ApplicationLoadBalancerProps.preserveXffClientPort).
    HeaderSet(
        "AWS load balancer with ports",
        headers(X_Forwarded_For=f"{SPOOFED}:1, {CLIENT}:40000", X_Forwarded_Proto="https"),
        TLS,
    ),
    HeaderSet(
        "AWS load balancer with ports, IPv6",
        headers(X_Forwarded_For=f"[{CLIENT_6}]:40000", X_Forwarded_Proto="https"),
        TLS._replace(address=CLIENT_6),
    ),
    # Cloudflare appends with a comma alone, overwrites X-Forwarded-Proto, and has headers of its
    # own (developers.cloudflare.com/fundamentals/reference/http-headers). CF-Connecting-IP isn't
    # read: any client could send it to a chat that isn't behind Cloudflare.
    HeaderSet(
        "Cloudflare",
        headers(
            X_Forwarded_For=f"{SPOOFED},{CLIENT}",
            X_Forwarded_Proto="https",
            CF_Connecting_IP=CLIENT,
            CF_Ray="230b030023ae2822-SJC",
            CF_Visitor='{"scheme":"https"}',
            CDN_Loop="cloudflare; loops=1",
        ),
        TLS,
    ),
    HeaderSet(
        "nginx that appends, behind Cloudflare",
        headers(X_Forwarded_For=f"{CLIENT}, 172.68.1.2", X_Forwarded_Proto="https"),
        TLS,
        proxies=2,
    ),
    # The second proxy replaced what the first said: its client is Cloudflare's machine.
    HeaderSet(
        "nginx that replaces, behind Cloudflare",
        headers(X_Forwarded_For="172.68.1.2", X_Forwarded_Proto="https"),
        TLS._replace(address="172.68.1.2"),
        proxies=2,
    ),
    HeaderSet(
        "two proxies that append everything",
        headers(
            "inner:3000",
            X_Forwarded_For=f"{CLIENT}, 10.0.0.1",
            X_Forwarded_Proto="https, http",
            X_Forwarded_Host="chat.example, inner",
            X_Forwarded_Prefix="/chat, /inner",
        ),
        TLS._replace(prefix="/chat"),
        proxies=2,
    ),
    # Obfuscated and unknown addresses (RFC 7239, sections 6.2 and 6.3) in the older header.
    *[
        HeaderSet(
            f"a proxy that says {said!r}",
            headers(X_Forwarded_For=said),
            PLAIN._replace(address="unknown"),
        )
        for said in ("unknown", "_hidden", "unix:", f"{SPOOFED},", "", "<local>", "x" * 4000)
    ],
    # None of these proxies sends Forwarded by itself, so that it is a client's own.
    HeaderSet(
        "a client that sends Forwarded and others",
        headers(
            X_Forwarded_For=CLIENT,
            Forwarded=f'for={SPOOFED};proto=https;host="evil.example"',
            X_Real_Ip=SPOOFED,
            True_Client_IP=SPOOFED,
            CF_Connecting_IP=SPOOFED,
            X_Forwarded_Port="8443",
        ),
        PLAIN,
    ),
]


def seen(header_set: HeaderSet) -> Seen:
    """Return what an application behind TrustedProxies sees."""
    found: dict = {}

    def app(environ, start_response):
        found.update(environ)
        return []

    environ = {"REMOTE_ADDR": PEER, "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
    environ |= wsgi(header_set.headers)
    list(TrustedProxies(app, header_set.proxies)(environ, lambda *_: None))
    return Seen(
        found["REMOTE_ADDR"], found["wsgi.url_scheme"], found["HTTP_HOST"], found["SCRIPT_NAME"]
    )


def wsgi(sent: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}


@pytest.mark.parametrize("header_set", HEADER_SETS, ids=lambda header_set: header_set.name[:40])
def test_headers_of_proxies_are_understood(header_set):
    assert seen(header_set) == header_set.seen


@pytest.mark.parametrize("header_set", HEADER_SETS, ids=lambda header_set: header_set.name[:40])
def test_page_may_connect_through_each_proxy(header_set):
    """The page's origin is what the proxies say of the request; no other may connect."""
    app = create_app({"TESTING": True, "TRUSTED_PROXIES": header_set.proxies})
    scheme, other = header_set.seen.scheme, {"http": "https", "https": "http"}
    for origin, status in [
        (f"{scheme}://chat.example", 200),
        (f"{other[scheme]}://chat.example", 403),
        (f"{scheme}://evil.example", 403),
    ]:
        environ = wsgi(header_set.headers) | {"HTTP_ORIGIN": origin}
        query = {"EIO": "4", "transport": "polling"}
        answer = app.test_client().get("/socket.io/", query_string=query, environ_overrides=environ)
        assert answer.status_code == status, origin


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Proto", ""),
        ("X-Forwarded-Host", ""),
        ("X-Forwarded-Host", "evil.example/x"),
        ("X-Forwarded-Host", "a b"),
        ("X-Forwarded-Host", "chat@evil.example"),
        ("X-Forwarded-Prefix", "/"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Prefix", "/\\evil.example"),
        ("X-Forwarded-Prefix", "https://evil.example"),
        ("X-Forwarded-Prefix", "/a/../b"),
        ("X-Forwarded-Prefix", "/a//b"),
        ("X-Forwarded-Prefix", "/a?b"),
        ("X-Forwarded-Prefix", "chat"),
    ],
)
def test_unusable_value_is_ignored(name, value):
    sent = {"Host": "chat.example", "X-Forwarded-For": CLIENT, name: value}
    assert seen(HeaderSet("", sent, PLAIN)) == PLAIN


def test_without_the_header_the_peer_is_the_client():
    assert seen(HeaderSet("", headers(), PLAIN)) == PLAIN._replace(address=PEER)


@pytest.mark.parametrize("prefix", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_redirect_stays_on_the_site_whatever_the_prefix_is(prefix):
    app = create_app({"TESTING": True, "TRUSTED_PROXIES": 1})
    answer = app.test_client().get("/r/TEA", headers={"X-Forwarded-Prefix": prefix})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/r/tea")
