"""Which numbers are kept, and how exactly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit import json_text
from automations.kit.numbers import parse_number

WHOLE = st.integers(-(10**400), 10**400)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


@given(WHOLE)
def test_whole_numbers_are_kept_at_any_length(number: int) -> None:
    assert parse_number(str(number)) == number == json_text.parse_json(str(number))


@given(DOUBLES)
def test_doubles_are_kept_as_they_are_written(number: float) -> None:
    assert parse_number(repr(number)) == number
    assert json_text.parse_json(json.dumps(number)) == number
    assert json_text.parse_json(f"{number:.16e}") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9007199254740993", 9007199254740993),
        (" 0.10 ", 0.1),
        ("5.0", 5),
        ("1e3", 1000),
        ("+.5", 0.5),
    ],
)
def test_a_typed_number_is_the_one_that_was_meant(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text", ["1_000", "1,5", "1 000", "nan", "inf", "0x10", "", "١٢", "1e", "--1"]
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "1e999",
        "0.1234567890123456789",
        "9007199254740993.5",
        "12345678901234.567",
        "1e-400",
        "9" * 4_001,
    ],
)
def test_a_number_that_would_be_changed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more digits than can be kept"):
        parse_number(text)


@pytest.mark.parametrize(
    "text", ["1e999", "[0.1234567890123456789]", "9007199254740993.0", "1e-400"]
)
def test_a_number_of_json_that_would_be_changed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be kept exactly"):
        json_text.parse_json(text)
