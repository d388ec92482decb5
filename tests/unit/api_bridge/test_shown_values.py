"""How values are called and laid out for people."""

from __future__ import annotations

from typing import Any

import pytest

from api_bridge.public_pages import shown_values


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("politicallyExposed", "Politically exposed"),
        ("company_name", "Company name"),
        ("VATNumber", "VAT number"),
        ("url", "URL"),
        ("Full Name, as written", "Full Name, as written"),
        ("größe", "größe"),
        ("", ""),
        (7, "7"),
    ],
)
def test_a_key_is_a_label_where_it_is_a_name(key: object, shown: str) -> None:
    assert shown_values.label(key) == shown


@pytest.mark.parametrize(
    ("text", "heading", "more"),
    [
        ("May we?", "May we?", ""),
        (" May we?\nThey ask for 5.\n\nIt is late. ", "May we?", "They ask for 5.\n\nIt is late."),
        ("x" * 141, "Approval needed", "x" * 141),
        ("", "Approval needed", ""),
        ("x" * 141 + "\nmore", "Approval needed", "x" * 141 + "\nmore"),
    ],
)
def test_a_question_is_headed_by_its_first_line_where_that_is_short(
    text: str, heading: str, more: str
) -> None:
    assert shown_values.headline(text, "Approval needed") == (heading, more)


def test_of_a_large_value_a_page_shows_as_much_as_is_read() -> None:
    for large in (
        "x" * 100_000,
        ["x"] * 100_000,
        {str(n): n for n in range(100_000)},
        [{"a": ["x" * 1_000] * 1_000}] * 1_000,
    ):
        assert len(str(shown_values.within(large, 1_000))) < 2_000
    small = {"a": [1, None, {"b": "text"}], "c": True, "d": {}, "e": []}
    assert shown_values.within(small) == small


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "Yes"),
        (None, "none"),
        (2.5, "2.5"),
        ([1, "a", False], "1, a, No"),
        ({"zipCode": "10115", "city": "Berlin"}, "Zip code: 10115, City: Berlin"),
        ({"deep": [1]}, '{\n  "deep": [\n    1\n  ]\n}'),
    ],
)
def test_a_value_within_others_is_said_in_words(value: Any, shown: str) -> None:
    assert shown_values.plain(value) == shown


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([{"a": 1}, {"b": 2, "a": 3}], ["a", "b"]),
        ([{"a": 1}, 2], []),
        ([{str(number): 1 for number in range(9)}], []),
        ([], []),
        (["ab", "cd"], []),
    ],
)
def test_records_that_are_alike_have_columns(rows: list[Any], columns: list[str]) -> None:
    assert shown_values.columns(rows) == columns
