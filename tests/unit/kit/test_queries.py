"""Values in queries and web forms."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.queries import names_in, pairs_of, remove_parameter
from automations.kit.values import JSON


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("x", ["x"]),
        ("", [""]),
        (None, [""]),
        (True, ["true"]),
        (False, ["false"]),
        (7, ["7"]),
        (1.5, ["1.5"]),
        (2**60, [str(2**60)]),
        ([], []),
        (["a", None, True, 2], ["a", "", "true", "2"]),
        ({"k": 1, "ż": None}, ['{"k":1,"ż":null}']),
        ({}, ["{}"]),
        ([[1, 2], {"k": []}], ["[1,2]", '{"k":[]}']),
    ],
)
def test_a_value_is_sent_as_json_writes_it(value: JSON, sent: list[str]) -> None:
    assert pairs_of({"a": value}) == [("a", item) for item in sent]


def test_the_names_of_an_address_are_seen_as_they_are_meant() -> None:
    assert names_in("https://a.example/?a=1&b%20c=2&d+e&&f=") == {"a", "b c", "d e", "", "f"}
    assert names_in("https://a.example/x#?a=1") == set()


def test_a_parameter_is_taken_out_and_the_others_stay_as_they_were() -> None:
    address = "https://a.example/?key=secret&a=%2f&k%65y=2&b=%20&c#d"
    assert remove_parameter(address, "key") == "https://a.example/?a=%2f&b=%20&c#d"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text("aż &=+%?#/")))
def test_every_text_arrives(values: dict[str, str]) -> None:
    sent = urlencode(pairs_of(values))
    assert parse_qsl(sent, keep_blank_values=True) == list(values.items())
    assert names_in(f"https://a.example/?{sent}") >= {name for name, value in values.items()}
