"""Rows that are written to a file are read from it as they were, or it is refused in words."""

from __future__ import annotations

import io
import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automations.domain.tables import exports
from automations.domain.tables.columns import Column, columns_of, validate
from automations.domain.tables.imports import rows_of, workbook_text
from automations.domain.tables.previews import Choices, read
from automations.kit.storable import same
from automations.kit.values import JSON

COLUMNS = columns_of(
    [
        {"key": "text", "type": "text"},
        {"key": "note", "type": "text"},
        {"key": "number", "type": "number"},
        {"key": "boolean", "type": "boolean"},
        {"key": "date", "type": "date"},
        {"key": "datetime", "type": "datetime"},
        {"key": "choice", "type": "select"},
        {"key": "option", "type": "select", "options": ["a", " a", " ", "true", "007"]},
        {"key": "several", "type": "multiselect"},
        {"key": "email", "type": "email"},
        {"key": "url", "type": "url"},
        {"key": "json", "type": "json"},
    ]
)
ODD_TEXTS = [
    *("", " ", " x ", "007", "1e5", "=1+1", "2026-01-01", "12:30", "true", "null", "-", "'", "\t"),
    *('"', '""', ' "', '" ', 'a, "b"', "a;b", "[", "\n", "\r", "\r\n", "a\rb", "\u2028", "\x0b"),
    *("\x1f", "\ufeff", "_x0041_", "<b>&amp;", "e\u0301", "\U0001f642", "\ufffe", "sep=;", "﹦1"),
]
TEXTS = (
    st.sampled_from(ODD_TEXTS)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.text(string.punctuation + string.whitespace + "a1", max_size=12)
)
NUMBERS = (
    st.sampled_from([0, -0.0, 1.0, 0.1, 1e-7, 1e22, 5e-324, 2**53 + 1, -(10**30), 1.7e308])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
ANY_JSON = st.recursive(
    st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner | st.none(), max_size=3)
        | st.dictionaries(TEXTS, inner | st.none(), max_size=3)
    ),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[JSON]] = {
    "text": TEXTS,
    "note": TEXTS,
    "number": NUMBERS,
    "boolean": st.booleans(),
    "date": st.dates().map(str),
    "datetime": st.datetimes(timezones=st.sampled_from([None]) | st.timezones()).map(
        lambda at: at.isoformat()
    ),
    "choice": TEXTS,
    "option": st.sampled_from(["a", " a", " ", "true", "007"]),
    "several": st.lists(TEXTS, max_size=4, unique=True),
    "email": st.sampled_from(["ada@example.com", "ä+b@example.com"]),
    "url": st.sampled_from(["https://example.com/?a=b;c,d", 'HTTP://x/"']),
    "json": ANY_JSON,
}
ROWS = st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=4)


def as_csv(columns: list[Column], rows: list[dict[str, Any]]) -> bytes:
    return "".join(exports.serialize("csv", columns, rows)).encode()


def as_json(columns: list[Column], rows: list[dict[str, Any]]) -> bytes:
    return "".join(exports.serialize("json", columns, rows)).encode()


def as_workbook(columns: list[Column], rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    exports.write_workbook(file, "Sheet", columns, rows)
    return file.getvalue()


def imported(columns: list[Column], content: bytes) -> list[dict[str, Any]]:
    """The rows that the API's import makes of a file."""
    if content.startswith(b"PK"):
        return rows_of(columns, workbook_text(content, None))
    text = content.decode()
    return rows_of(columns, json.loads(text) if text.startswith("[") else text)


Write = Callable[[list[Column], list[dict[str, Any]]], bytes]


@pytest.mark.parametrize("write", [as_csv, as_json, as_workbook])
@given(sent=ROWS, width=st.sampled_from([1, len(COLUMNS)]))
@example(sent=[{"text": text} for text in ODD_TEXTS], width=1)
@example(sent=[{"text": text, "note": text, "choice": text} for text in ODD_TEXTS], width=12)
@example(sent=[{"number": 1}, {"text": "", "note": ""}, {"option": " "}], width=12)
def test_rows_come_back_as_they_were(write: Write, sent: list[dict[str, Any]], width: int) -> None:
    columns = COLUMNS[:width]
    keys = {column.key for column in columns}
    kept = []
    for row in sent:
        values, problems = validate(columns, {key: row[key] for key in row if key in keys})
        # A file of lines has no row without any value.
        if values and not problems:
            kept.append(values)
    content = write(columns, kept)
    found = imported(columns, content)
    assert len(found) == len(kept)
    assert all(map(same, found, kept)), found
    if kept:
        shown = read(columns, content, Choices(), 1)
        assert not shown.refused
        again = [validate(columns, row)[0] for row in shown.rows]
        assert all(map(same, again, kept)), again
