"""Addresses that lead where no request of a user's may go, and the forms that they may have."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

SPECIAL_V4 = {
    "this network": ("0.0.0.0", "0.255.255.255"),
    "private use of class A": ("10.0.0.0", "10.255.255.255"),
    "shared by customers of a provider": ("100.64.0.0", "100.127.255.255"),
    "loopback": ("127.0.0.0", "127.255.255.255"),
    "link-local": ("169.254.0.0", "169.254.255.255"),
    "private use of class B": ("172.16.0.0", "172.31.255.255"),
    "protocol assignments": ("192.0.0.0", "192.0.0.255"),
    "documentation 1": ("192.0.2.0", "192.0.2.255"),
    "AS112": ("192.31.196.0", "192.31.196.255"),
    "AMT": ("192.52.193.0", "192.52.193.255"),
    "relays of 6to4": ("192.88.99.0", "192.88.99.255"),
    "private use of class C": ("192.168.0.0", "192.168.255.255"),
    "direct delegation to AS112": ("192.175.48.0", "192.175.48.255"),
    "benchmarks": ("198.18.0.0", "198.19.255.255"),
    "documentation 2": ("198.51.100.0", "198.51.100.255"),
    "documentation 3": ("203.0.113.0", "203.0.113.255"),
    "multicast": ("224.0.0.0", "239.255.255.255"),
    "reserved": ("240.0.0.0", "255.255.255.255"),
}
"""The IANA's registry of special-purpose IPv4 addresses and multicast: first and last of each."""

SPECIAL_V6 = {
    "unspecified": ("::", "::"),
    "loopback": ("::1", "::1"),
    "local NAT64": ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    "discard": ("100::", "100::ffff:ffff:ffff:ffff"),
    "dummies": ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    "protocol assignments, Teredo and ORCHID": ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "documentation": ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    "AS112": ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    "more documentation": ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "segment routing": ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "unique local": ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "link-local": ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "site-local": ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "multicast": ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
}
"""The IANA's registry of special-purpose IPv6 addresses, and what was one."""


def _groups(inner: IPv4Address) -> str:
    return f"{int(inner) >> 16:x}:{int(inner) & 0xFFFF:x}"


def _obscured(inner: IPv4Address) -> str:
    return _groups(IPv4Address(int(inner) ^ 0xFFFFFFFF))


NEVER: dict[str, Callable[[IPv4Address], str]] = {
    "compatible": lambda inner: f"::{inner}",
    "translated": lambda inner: f"::ffff:0:{inner}",
    "local NAT64": lambda inner: f"64:ff9b:1::{inner}",
    "local NAT64 around the eighth octet": lambda inner: (
        f"64:ff9b:1:{int(inner) >> 16:x}:{int(inner) >> 8 & 0xFF:x}:{(int(inner) & 0xFF) << 8:x}::"
    ),
    "client of Teredo": lambda inner: f"2001:0:4136:e378:8000:63bf:{_obscured(inner)}",
    "server of Teredo": lambda inner: f"2001:0:{_groups(inner)}:8000:63bf:a247:28dd",
    "ISATAP in a link": lambda inner: f"fe80::5efe:{inner}",
}
"""An IPv4 address within an IPv6 address that leads to no place of the public internet."""

AS_INNER: dict[str, Callable[[IPv4Address], str]] = {
    "mapped": lambda inner: f"::ffff:{inner}",
    "mapped in hexadecimal": lambda inner: f"::FFFF:{_groups(inner)}",
    "mapped in full": lambda inner: f"0000:0000:0000:0000:0000:ffff:{_groups(inner)}",
    "NAT64": lambda inner: f"64:ff9b::{inner}",
    "6to4": lambda inner: f"2002:{_groups(inner)}::1",
    "ISATAP": lambda inner: f"2606:2800:220:1:0:5efe:{_groups(inner)}",
    "ISATAP of a global address": lambda inner: f"2606:2800:220:1:200:5efe:{inner}",
}
"""An IPv4 address within an IPv6 address that is as public as the one within."""

OTHERS = (
    "192.0.0.192", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b:1::a00:1", "fec0::1", "5f00::1",
    "192.0.0.9", "192.88.99.2", "169.254.169.254", "100.100.100.200", "fd00:ec2::254",
    "2001:4:112::1", "2001:20::1", "4000::1", "fe80::1%eth0", "2606:2800:220:1::1%1", "::ffff:0:0",
    "no address", "", "1", "127.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1:80", "[::1]",
    "١٢٧.0.0.1",
)  # fmt: skip
"""Each of them not public, one by one."""
