"""The address that a request comes from: the peer's, or one named by a trusted proxy."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Networks = Sequence[IPv4Network | IPv6Network]


def client_address(scope: MutableMapping[str, Any], proxies: Networks) -> str | None:
    """The address that a request comes from; None when it did not come over a network.

    Each proxy adds the address that it was asked from at the end of ``X-Forwarded-For``, and what
    was there before it is whatever its client says. So the list is read from its end, as long as
    proxies of ours have written it.

    Args:
        proxies: whose header is believed; without any, nobody's.
    """
    client = scope.get("client")
    if not client:
        return None
    address = _normal(client[0]) or str(client[0])
    for forwarded in reversed(list(_forwarded_addresses(scope["headers"]))):
        if not is_in(address, proxies):
            break
        further = _normal(forwarded)
        if further is None:
            break
        address = further
    return address


def _forwarded_addresses(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    for name, value in headers:
        if name == b"x-forwarded-for":
            yield from value.decode("latin-1").split(",")


# Most requests come from few addresses, and the standard library takes its time to read one.
@lru_cache(maxsize=1024)
def _normal(text: str) -> str | None:
    """An address in its one spelling; None when it is none. Some proxies write a port with it."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def is_in(address: str, networks: Networks) -> bool:
    """Whether an address is in one of some networks."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
