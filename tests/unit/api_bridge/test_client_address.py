"""Where a request comes from, with proxies that are trusted and with those that are not."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from api_bridge.client_address import client_address

PROXIES = [ip_network(network) for network in ("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48")]


def asked(peer: str | None, *forwarded: str, trusted: bool = True) -> str | None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", address.encode()) for address in forwarded)]
    client = None if peer is None else (peer, 1)
    return client_address({"client": client, "headers": headers}, PROXIES if trusted else ())


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.1", "192.0.2.1"])
def test_without_proxies_in_the_settings_nobody_is_believed(peer: str) -> None:
    assert asked(peer, "203.0.113.9", trusted=False) == peer


def test_who_is_no_proxy_is_not_believed() -> None:
    assert asked("192.0.2.1", "203.0.113.9") == "192.0.2.1"
    assert asked("2001:db8:2::1", "203.0.113.9") == "2001:db8:2::1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([], "10.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        # What its client wrote is before what the proxy has added.
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.9.9.9,127.0.0.1"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        (["203.0.113.9", "10.9.9.9", "2001:db8:1::5"], "203.0.113.9"),
        # All are proxies: the farthest is all that is known.
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        # Nothing behind what cannot be read is believed.
        (["203.0.113.9, garbage"], "10.0.0.1"),
        (["garbage, 10.2.2.2"], "10.2.2.2"),
        (["203.0.113.9,"], "10.0.0.1"),
        (["unknown"], "10.0.0.1"),
        (["203.0.113.9:51234"], "203.0.113.9"),
        (["[2001:db8::1]:51234"], "2001:db8::1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
    ],
)
def test_the_list_is_read_from_its_end_as_long_as_proxies_have_written_it(
    forwarded: list[str], address: str
) -> None:
    assert asked("10.0.0.1", *forwarded) == address


def test_an_address_has_one_spelling() -> None:
    assert asked("::ffff:192.0.2.1") == "192.0.2.1"
    assert asked("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_who_does_not_come_over_a_network_has_no_address() -> None:
    assert asked(None, "203.0.113.9") is None
    assert asked("testclient", "203.0.113.9") == "testclient"
