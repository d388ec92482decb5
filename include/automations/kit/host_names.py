"""Parses the ``Host`` header, and checks it against the hosts that we answer for.

A page of somebody else whose name leads to this machine (DNS rebinding) sends that name as the
Host: who answers to it lets the page read what only this machine may.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)


def host_name(header: str) -> str | None:
    """The name or address in a Host header, without its port; None when it is malformed."""
    match = _HOST.fullmatch(header)
    return None if match is None else _normal(match["name"])


# Nearly all requests name the same host.
@lru_cache(maxsize=256)
def is_answered(header: str, patterns: tuple[str, ...]) -> bool:
    """Whether a Host header names this machine's loopback, or a host that the patterns have.

    Args:
        patterns: names without ports; ``*.example.com`` is every name below it, ``*`` any.
    """
    name = host_name(header)
    if name is None:
        return False
    return (
        name == "localhost"
        or _is_loopback(name)
        or any(_fits(name, pattern) for pattern in patterns)
    )


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _fits(name: str, pattern: str) -> bool:
    normal_pattern = _normal(pattern)
    return normal_pattern in ("*", name) or (
        normal_pattern.startswith("*.") and name.endswith(normal_pattern[1:])
    )


def _normal(name: str) -> str:
    # The dot at the end of a whole name, and the brackets of an IPv6 address, say nothing more.
    return name.lower().removesuffix(".").strip("[]")
