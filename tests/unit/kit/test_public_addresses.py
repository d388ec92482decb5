"""The address guard, against lists of special addresses and an oracle that counts in integers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.public_addresses import is_public
from tests.hostile.addresses import AS_INNER, NEVER, OTHERS, SPECIAL_V4, SPECIAL_V6

RANGES_4 = [(int(IPv4Address(a)), int(IPv4Address(b))) for a, b in SPECIAL_V4.values()]
RANGES_6 = [(int(IPv6Address(a)), int(IPv6Address(b))) for a, b in SPECIAL_V6.values()]
PLAIN_V4 = st.integers(0, 2**32 - 1)
EDGES_V4 = st.sampled_from([edge + by for both in RANGES_4 for edge in both for by in (-1, 0, 1)])
V4 = (PLAIN_V4 | EDGES_V4.filter(lambda number: 0 <= number < 2**32)).map(IPv4Address)


def is_special(inner: IPv4Address) -> bool:
    return any(first <= int(inner) <= last for first, last in RANGES_4)


@given(V4)
def test_an_ipv4_address_is_public_when_no_registry_has_it(address: IPv4Address) -> None:
    assert is_public(str(address)) is not is_special(address)


@given(V4, st.sampled_from(sorted(AS_INNER)))
def test_an_embedded_address_is_judged_as_itself(inner: IPv4Address, form: str) -> None:
    assert is_public(AS_INNER[form](inner)) is not is_special(inner)


@given(V4, st.sampled_from(sorted(NEVER)))
def test_some_forms_are_never_public(inner: IPv4Address, form: str) -> None:
    assert not is_public(NEVER[form](inner))


@given(st.sampled_from(RANGES_6).flatmap(lambda both: st.integers(*both)))
def test_no_special_ipv6_address_is_public(number: int) -> None:
    address = IPv6Address(number)
    assert not is_public(str(address))
    assert not is_public(address.exploded)


@given(st.integers(0, 2**128 - 1) | st.integers(0x2000 << 112, (0x4000 << 112) - 1))
def test_a_public_ipv6_address_is_a_unicast_one(number: int) -> None:
    address = IPv6Address(number)
    unicast = 0x2000 <= number >> 112 < 0x4000
    special = any(first <= number <= last for first, last in RANGES_6)
    holds_ipv4 = (
        address.sixtofour is not None
        or number >> 32 in (0xFFFF, 0x64FF9B << 64)
        or number >> 32 & 0xFDFFFFFF == 0x5EFE
    )
    if not holds_ipv4:
        assert is_public(str(address)) is (unicast and not special)


@pytest.mark.parametrize("address", OTHERS)
def test_what_others_have_tried_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "2606:2800:220:1::1", "2a00:1450:4001::1", "64:ff9b::5db8:d822"],
)
def test_addresses_of_the_public_internet_are_public(address: str) -> None:
    assert is_public(address)
