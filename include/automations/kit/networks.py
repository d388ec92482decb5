"""The network that an address belongs to, for limits that count per address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

LOOPBACK = ("127.0.0.1", "localhost")
"""Names of this machine; to browsers they are two sites."""


def network(address: str) -> str:
    """The address, or its /64: whoever has an IPv6 address has 2^64 of them."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        return str(ip_network(f"{ip}/64", strict=False))
    return str(ip)
