"""The normal form of clients' addresses, and the networks by which clients are counted."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

LOCAL = ""
"""The address of a client over a Unix socket, which has none."""
UNKNOWN = "unknown"
"""The address of all clients whose addresses can't be read (RFC 7239, section 6.2).

They are counted together, so that no client escapes a bound by an unreadable address.
"""

MAX_CHARS = 80
"""Characters of an address that is read.

An IPv6 address has up to 45, and may have an interface, brackets and a port.
"""
WITH_PORT = re.compile(r"\[(?P<v6>[^\[\]]*)\](:\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}", re.ASCII)


def normalize(text: str) -> str:
    """Return the normal form of an address: LOCAL, UNKNOWN, or an IP address without its port.

    `text` is a socket's address or what a proxy says of its client. An IPv4 address that is mapped
    to IPv6 (`::ffff:192.0.2.1`) becomes an IPv4 address. An IPv6 address loses its interface.
    """
    text = text.strip()
    return _normalize(text) if len(text) <= MAX_CHARS else UNKNOWN


@lru_cache(1024)
def _normalize(text: str) -> str:
    if text in ("", "<local>"):  # under gunicorn, and under Werkzeug
        return LOCAL
    match = WITH_PORT.fullmatch(text)
    address = _parse((match["v4"] or match["v6"]) if match else text)
    return str(address) if address else UNKNOWN


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(1024)
def networks(address: str) -> tuple[str, ...]:
    """Return the networks of a normal address that a bound counts, from the smallest up.

    An IPv4 address counts alone. A site has an IPv6 network of 64 bits at least, often of 48 bits
    (RFC 6177), and may use any address in it.
    """
    if ":" not in address:
        return (address,)
    return tuple(str(IPv6Network((address, bits), strict=False)) for bits in (64, 48))


@lru_cache(1024)
def is_local(address: str) -> bool:
    """Tell whether a normal address is of this machine: a loopback address or a Unix socket's."""
    return address == LOCAL or (address != UNKNOWN and ip_address(address).is_loopback)
