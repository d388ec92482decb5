"""Columns for the fields of forms."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from automations.domain.forms.columns import extend, values
from automations.domain.forms.schema import DISPLAY, FieldType
from automations.domain.tables.columns import Column


def form(*fields: dict[str, Any], **section: Any) -> dict[str, Any]:
    numbered = [{"id": str(number), **field} for number, field in enumerate(fields)]
    return {"sections": [{"id": "s", "fields": numbered, **section}]}


def field(key: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"key": key, "type": kind, **more}


def made(*fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [(column.key, column.type) for column in extend([], {}, form(*fields))[0]]


@pytest.mark.parametrize("kind", typing.get_args(FieldType))
def test_every_type_of_field_is_a_column_unless_it_only_shows_something(kind: str) -> None:
    assert len(made(field("a", kind))) == (kind not in DISPLAY)


@pytest.mark.parametrize(
    ("kind", "data", "kept"),
    [
        ("text", "", ""),
        ("rating", 4, 4),
        ("number", "", None),
        ("yesno", False, False),
        ("checkbox", ["x", "y"], ["x", "y"]),
        ("radio", "x", "x"),
        ("time", "09:30", "09:30"),
        ("datetime", "2026-03-01T10:30:00+01:00", "2026-03-01T09:30:00.000Z"),
        ("file", {"name": "a.pdf"}, {"name": "a.pdf"}),
        ("date", None, None),
        ("datetime", "0001-01-01T00:00:00+14:00", None),
        ("url", "https://a.example\n", None),
    ],
)
def test_what_is_filled_in_is_in_the_column_if_it_fits(kind: str, data: Any, kept: Any) -> None:
    schema = form(field("a", kind))
    columns, known = extend([], {}, schema)
    assert values(columns, known, schema, {"a": data}).get("a") == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-03-01T10:30", "2026-03-01T04:45:00.000Z"),
        ("2026-03-01 10:30:00.5", "2026-03-01T04:45:00.500Z"),
        ("2026-03-01", "2026-02-28T18:15:00.000Z"),
        ("2026-03-01T10:30Z", "2026-03-01T10:30:00.000Z"),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_fields_zone(sent: str, kept: str) -> None:
    schema = form(field("at", "datetime", timezone="Asia/Kathmandu"))
    columns, known = extend([], {}, schema)
    assert values(columns, known, schema, {"at": sent}) == {"at": kept}


def test_keys_that_no_column_may_have_are_made_fit_and_differ() -> None:
    keys = [key for key, _ in made(field("größe"), field("gr__e"), field("-a b"), field("k" * 200))]
    assert keys == ["gr__e", "gr__e_2", "_a_b", "k" * 90]


def test_columns_are_added_and_never_dropped_nor_given_another_type() -> None:
    first, known = extend([], {}, form(field("a", label="A"), field("b")))
    changed = form(field("a", "number"), field("c"))
    second, more = extend(first, known, changed)
    assert [(column.key, column.type) for column in second] == [
        ("a", "text"),
        ("b", "text"),
        ("a_2", "number"),
        ("c", "text"),
    ]
    assert (second[0].name, second[1].name) == ("A", "b")
    assert values(second, more, changed, {"a": 5}) == {"a_2": 5}
    assert extend(second, more, form(field("a"))) == (second, more)


def test_a_column_of_somebodys_own_is_not_taken_for_a_field() -> None:
    own = Column(key="note", type="text")
    columns, known = extend([own], {}, form(field("note")))
    assert [column.key for column in columns] == ["note", "note_2"]
    assert known == {"text:note": "note_2"}


def test_a_repeatable_section_is_one_column_of_its_items() -> None:
    schema = form(field("a"), repeatable=True, title="Guests")
    columns, known = extend([], {}, schema)
    (column,) = columns
    assert (column.key, column.name, column.type) == ("section_s_items", "Guests", "json")
    data = {"section_s_items": [{"a": "x"}]}
    assert values(columns, known, schema, data) == data


def test_no_more_fields_than_a_table_may_have_columns_are_columns() -> None:
    schema = form(*(field(f"k{number}") for number in range(250)))
    columns, known = extend([], {}, schema)
    assert len(columns) == len(known) == 200
    assert values(columns, known, schema, {"k0": "a", "k249": "b"}) == {"k0": "a"}
