"""Exports rows as CSV, JSON and workbooks, and as CSV that is harmless in spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import IO, Literal

from automations.domain.tables.cells import text_of
from automations.domain.tables.columns import Column
from automations.errors import ValidationFailed
from automations.kit.csv_cells import line_of
from automations.kit.values import JSON
from automations.kit.workbooks import writing

Kind = Literal["csv", "spreadsheet", "json"]
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""The media type of a workbook."""
_FORMULAS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet compute a text, which may then send elsewhere what is beside it.

Some of East Asia take the wide forms of these signs for them.
"""


def serialize(
    kind: Kind, columns: Sequence[Column], rows: Iterable[Mapping[str, JSON]]
) -> Iterator[str]:
    """The parts of a file of rows.

    Args:
        kind: ``csv`` has values as an import takes them; ``spreadsheet`` an apostrophe before
            texts that a spreadsheet would compute; ``json`` all values exactly, and nothing for
            what a row has none of.
    """
    return _json(rows) if kind == "json" else _csv(columns, rows, guarded=kind == "spreadsheet")


def write_workbook(
    file: IO[bytes], name: str, columns: Sequence[Column], rows: Iterable[Mapping[str, JSON]]
) -> None:
    """Write a workbook of rows, whose values an import takes again; times in it are UTC.

    Raises:
        ValidationFailed: there is more than a sheet holds.
    """
    cells = ([_cell(column, row.get(column.key)) for column in columns] for row in rows)
    try:
        writing.write(file, name, [column.key for column in columns], cells)
    except ValueError as error:
        raise ValidationFailed({"rows": [f"{error}: take CSV or JSON"]}) from error


def _cell(column: Column, value: JSON) -> writing.Cell:
    match column.type, value:
        case "number", int() | float():
            return value
        case "boolean", bool():
            return value
        case "date" | "datetime", str():
            return _day(column, value)
        case _, None:
            return None
    return text_of(column, value)


def _day(column: Column, text: str) -> writing.Cell:
    """A date or time as spreadsheets know it; what is finer than they keep stays a text."""
    try:
        if column.type == "date":
            return date.fromisoformat(text)
        whole, _, decimals = text.removesuffix("Z").partition(".")
        return datetime.fromisoformat(f"{whole}.{decimals}") if len(decimals) == 3 else text
    except ValueError:
        return text  # of before the column was one of dates


def _csv(
    columns: Sequence[Column], rows: Iterable[Mapping[str, JSON]], *, guarded: bool
) -> Iterator[str]:
    head = line_of(_guard_formula(column.key) if guarded else column.key for column in columns)
    # By its mark a spreadsheet knows that it is UTF-8.
    yield f"\ufeff{head}" if guarded else head
    for row in rows:
        cells = [(column, text_of(column, row.get(column.key))) for column in columns]
        yield line_of(
            _guard_formula(text) if guarded and column.type != "number" else text
            for column, text in cells
        )


def _guard_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _json(rows: Iterable[Mapping[str, JSON]]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"
