"""Patterns of users: how large they are, and that a match is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.patterns import Pattern


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ("abc", 4),
        ("^a+b*$", 5),
        ("a{3}", 4),
        ("a{2,5}?", 6),
        ("(ab){3}", 7),
        ("((a{2}b){3}c){4}", 41),
        (r"\w{2}\.", 4),
        ("[a-z]{3}x", 5),
        (r"[\]a[b]]{2}", 3),
        ("[]a]{2}", 3),
        (r"\{9\}", 4),
        ("a|bc", 4),
    ],
)
def test_its_places_are_counted_with_its_repetitions_written_out(written: str, places: int) -> None:
    assert Pattern(written).places == places


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[^@\s]+@[^@\s]+\.[a-z]{2,63}$",
        r"^\+?[0-9 ()-]{5,20}$",
        r"^[A-Za-z0-9_-]{1,255}$",
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?Z$",
        r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
        r"^[\p{L} '-]{1,200}$",
        "^.{1,1000}$",
    ],
)
def test_usual_patterns_may_be_used(pattern: str) -> None:
    assert Pattern(pattern).matches("") is False


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\d+$", "0123456789", True),
        (r"^\d+$", "\u0663\uff15", False),
        (r"^[\d-]+$", "1-2", True),
        (r"^[\d-]+$", "\u0663-2", False),
        (r"^\D+$", "a\u0663", True),
        (r"^[\D]$", "1", False),
        (r"^\\d$", r"\d", True),
        (r"^[^\d]$", "\u0663", True),
        (r"^\w+$", "Jos\u00e9", True),
    ],
)
def test_a_digit_is_one_from_0_to_9(pattern: str, text: str, found: bool) -> None:
    assert Pattern(pattern).matches(text) is found


def test_a_class_that_cannot_be_is_none_with_digits_either() -> None:
    with pytest.raises(ValueError, match="is not a pattern"):
        Pattern(r"[+-\d]")


def test_what_cannot_be_matched_in_bounds_is_refused_and_not_tried() -> None:
    costly = Pattern("[01]*1[01]{900}2")
    assert costly.matches("0" * 1_000) is False
    with pytest.raises(ValueError, match="too many for"):
        costly.matches("0" * 100_000)
    with pytest.raises(ValueError, match="repeats too much"):
        Pattern("(?:[^x]{1,99}y?){1,99}z")


@given(written=st.text(alphabet=r"ab()[]{}1,9?*+|\wd^$.-", max_size=30), text=st.text(max_size=20))
def test_any_text_is_a_pattern_or_says_why_it_is_none(written: str, text: str) -> None:
    try:
        assert Pattern(written).matches(text) in (True, False)
    except ValueError as error:
        assert "pattern" in str(error)  # noqa: PT017
