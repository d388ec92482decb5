"""Which addresses are on the public internet: all but those reserved for a purpose.

The list is our own, since that of Python's ``ipaddress`` differs from version to version. Sources,
as of 2025-10-09, each with every block that it has, also those said to be globally reachable:
nobody serves the public from them.

* https://www.iana.org/assignments/iana-ipv4-special-registry
* https://www.iana.org/assignments/iana-ipv6-special-registry
* https://www.iana.org/assignments/multicast-addresses (RFC 5771)
* https://www.iana.org/assignments/ipv6-address-space (of which 2000::/3 alone is unicast for all)
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_SPECIAL_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private use (RFC 1918)
        "100.64.0.0/10",  # shared by customers of a provider (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local, and where clouds keep their metadata (RFC 3927)
        "172.16.0.0/12",  # private use (RFC 1918)
        "192.0.0.0/24",  # protocol assignments, also of anycasts within a network (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # AMT (RFC 7450)
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "192.168.0.0/16",  # private use (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and limited broadcast (RFC 1112)
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
"""Outside of it are loopback, unspecified, unique local (fc00::/7), link-local (fe80::/10),
site-local (fec0::/10), multicast, discard (100::/64), segment routing (5f00::/16), and IPv4 in
forms that lead nowhere else: compatible (::/96), translated (::ffff:0:0:0/96), local NAT64
(64:ff9b:1::/48)."""
_SPECIAL_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, among them Teredo, benchmarks, ORCHID (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""Bits 64 to 95 of an address of a tunnel that ends at the IPv4 address behind them (RFC 5214)."""


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, and any IPv4 address that is embedded in it."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in block for block in _SPECIAL_V4)
    if ip.scope_id is not None:
        return False
    embedded = _embedded_ipv4(ip)
    if embedded is not None and not is_public(str(embedded)):
        return False
    if ip in _MAPPED or ip in _NAT64:
        return True
    return ip in _UNICAST_V6 and not any(ip in block for block in _SPECIAL_V6)


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to an IPv6 address end at, in the forms that may be public."""
    number = int(address)
    if address in _MAPPED or address in _NAT64 or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return IPv4Address((number >> 80) & 0xFFFFFFFF) if address in _SIX_TO_FOUR else None
