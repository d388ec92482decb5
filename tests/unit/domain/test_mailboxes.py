"""Which addresses are one mailbox, and so one person with one vote, and which are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain import people
from automations.domain.email_addresses import is_address, normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q@b.example", "Q@B.EXAMPLE"),
        ("q@b.example", "Queen <q@b.example>"),
        ("q@bücher.example", "q@xn--bcher-kva.example"),
        ("q@BÜCHER.example", "Q@XN--BCHER-KVA.EXAMPLE"),
        ("q@bu\u0308cher.example", "q@b\u00fccher.example"),
        ("q@straße.example", "q@xn--strae-oqa.example"),
        ("q@b。example", "q@b.example"),
        ("q@ｂ．example", "q@b.example"),
        ("zoe\u0308@b.example", "zo\u00eb@b.example"),
        ("ZOË@b.example", "zoë@b.example"),
    ],
)
def test_two_forms_of_an_address_are_one_mailbox(one: str, other: str) -> None:
    assert people.mailbox(one) == people.mailbox(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q@b.example", "r@b.example"),
        ("q@b.example", "q@c.example"),
        ("q+a@b.example", "q@b.example"),
        ("q@straße.example", "q@strasse.example"),
        ("q.a@b.example", "qa@b.example"),
    ],
)
def test_others_are_others(one: str, other: str) -> None:
    assert people.mailbox(one) != people.mailbox(other)


ACCENTS = "\u0301\u0316" * 200_000
"""To sort them takes the square of their number."""


@pytest.mark.parametrize(
    "address", [f"a{ACCENTS}@b.example", f"a@{ACCENTS}.pl", "(" * 400_000, f"a@b.example{ACCENTS}"]
)
def test_what_is_too_long_to_be_an_address_is_not_read(address: str) -> None:
    assert not is_address(address)
    with pytest.raises(ValueError, match="must be an e-mail address"):
        normalise(address)
    with pytest.raises(ValueError, match="too long"):
        normalise(address)
    assert people.mailbox(address) == f"mail:{address}"


@given(st.text(max_size=400))
def test_any_text_is_an_address_or_none(text: str) -> None:
    for address in (text, f"{text}@b.example", f"a@{text}", f"a@{text}.pl"):
        if is_address(address):
            assert is_address(normalise(address))
        assert people.mailbox(address).startswith("mail:")


@pytest.mark.parametrize("text", ["", "nobody", "@", "a@", "a@\u00ad", "é@é@é", "\ud800@b.é"])
def test_what_is_no_address_is_still_somebody(text: str) -> None:
    assert people.mailbox(text).startswith("mail:")


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?a=40evil.example=3e?=@b.example",
        "=?x?b?YUBldmlsLmV4YW1wbGU=?=@b.example",
        "a=?utf-8?q?b?=c@b.example",
    ],
)
def test_an_encoded_word_is_no_address(address: str) -> None:
    assert not is_address(address)


@pytest.mark.parametrize("address", ["bounce=a=b@c.example", "what?@b.example", "a=b@b.example"])
def test_other_names_are_addresses(address: str) -> None:
    assert is_address(address)
