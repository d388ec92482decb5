"""Which Host headers are answered."""

from __future__ import annotations

import pytest

from automations.kit.host_names import host_name, is_answered

OURS = (
    "Automations.Example.com",
    "*.internal.example",
    "192.0.2.7",
    "[2001:db8::7]",
    "2001:db8::8",
)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("example.com", "example.com"),
        ("Example.COM.:8800", "example.com"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8800", "::1"),
        ("a_b.example", "a_b.example"),
        ("", None),
        (":80", None),
        ("a b", None),
        ("a@b", None),
        ("a/b", None),
        ("a,b", None),
        ("a:b", None),
        ("a:123456", None),
        ("::1", None),
        ("[::1", None),
        ("a\nb", None),
        ("müller.example", None),
    ],
)
def test_a_header_names_a_host_or_is_malformed(header: str, name: str | None) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    "header",
    [
        *("localhost", "LocalHost:8800", "localhost.", "127.0.0.1:1", "127.9.9.9", "[::1]"),
        *("[0:0:0:0:0:0:0:1]:80", "automations.example.com:443", "a.internal.example"),
        *("a.b.internal.example", "192.0.2.7:80", "[2001:db8::7]:1", "[2001:db8::8]"),
    ],
)
def test_the_loopback_and_what_the_patterns_have_are_answered(header: str) -> None:
    assert is_answered(header, OURS)


@pytest.mark.parametrize(
    "header",
    [
        *("evil.example", "localhost.evil.example", "evil-localhost", "127.0.0.1.nip.example"),
        *("xautomations.example.com", "automations.example.com.evil.example", "internal.example"),
        *("evilinternal.example", "192.0.2.70", "10.0.0.1", "", "*", "*.internal.example"),
    ],
)
def test_other_names_are_not_answered(header: str) -> None:
    assert not is_answered(header, OURS)


def test_a_star_answers_every_name_that_is_one() -> None:
    assert is_answered("anything.example", ("*",))
    assert not is_answered("not a name", ("*",))
