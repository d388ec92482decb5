"""Values as texts that people type and files hold: exactly, or not at all."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.domain.tables import exports
from automations.domain.tables.cells import is_nothing, parse_text, text_of
from automations.domain.tables.columns import Column, value_of
from automations.domain.tables.imports import rows_of
from automations.kit.storable import same

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
LISTS = st.lists(WORDS, max_size=4, unique=True)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSONS = st.recursive(
    st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
VALUES = st.one_of(
    st.tuples(st.just("text"), WORDS),
    st.tuples(st.just("number"), NUMBERS),
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("date"), st.dates().map(str)),
    st.tuples(st.just("multiselect"), LISTS),
    st.tuples(st.just("json"), JSONS),
)


@given(VALUES)
def test_the_text_of_a_value_stands_for_that_value(typed: tuple[Any, Any]) -> None:
    kind, value = typed
    column = Column(key="a", type=kind)
    kept = value_of(column, value)
    text = text_of(column, kept)
    assert kept == "" or not is_nothing(column, text) or kind == "text"
    assert same(parse_text(column, text), kept) or (
        kind == "number" and parse_text(column, text) == kept
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "1,5"),
        ("number", "0.12345678901234567890"),
        ("number", "1 000"),
        ("json", "{"),
        ("multiselect", '["a", 1e999]'),
        ("multiselect", '[{"a": 1, "a": 2}]'),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_text(Column(key="a", type=kind), text)


COLUMNS = [
    Column(key="name", type="text"),
    Column(key="size", type="number"),
    Column(key="tags", type="multiselect"),
    Column(key="more", type="json"),
]
ROWS: list[dict[str, Any]] = [
    {"name": 'a\n"b";c,ä', "size": 12345678901234567890, "tags": ["x", "y; z"]},
    {"name": "=1+1", "size": -4.5, "more": {"a": [None, "12"]}},
    {"size": 1e22, "tags": [], "more": ""},
]


def test_an_export_is_what_an_import_takes() -> None:
    text = "".join(exports.serialize("csv", COLUMNS, ROWS))
    assert rows_of(COLUMNS, text) == ROWS
    whole = json.loads("".join(exports.serialize("json", COLUMNS, [*ROWS, {"name": ""}])))
    assert rows_of(COLUMNS, whole) == [*ROWS, {"name": ""}]
    assert json.loads("".join(exports.serialize("json", COLUMNS, []))) == []
    assert "".join(exports.serialize("csv", COLUMNS, [])).strip() == "name,size,tags,more"


def test_a_spreadsheet_computes_nothing_of_an_export() -> None:
    odd = ["@SUM(A1)", "\uff1d1+1", "\n=1+1", "\r=1+1"]
    rows = [*ROWS, *({"name": text} for text in odd)]
    text = "".join(exports.serialize("spreadsheet", COLUMNS, rows))
    assert text.startswith("\ufeff")
    cells = [cell for row in csv.reader(io.StringIO(text[1:])) for cell in row]
    assert "'=1+1" in cells
    assert {f"'{text}" for text in odd} <= set(cells)
    assert "-4.5" in cells, "a number is no formula"
