"""Many rows at once: from JSON, or from CSV whose texts become the columns' types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from automations.domain.tables.columns import Column, checked
from automations.errors import ValidationFailed
from automations.kit.values import JSON

MAX_ROWS = 50_000
_NAMED_PROBLEMS = 100
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Source = str | list[JSON]
"""A CSV text, or a list of rows' values."""


def rows_of(columns: Sequence[Column], source: Source) -> list[dict[str, JSON]]:
    """The rows of an import as they are kept.

    Raises:
        ValidationFailed: some do not fit; the first of them are named, ``rows.0`` on.
    """
    given = _from_csv(columns, source) if isinstance(source, str) else source
    if len(given) > MAX_ROWS:
        raise ValidationFailed({"rows": [f"may be {MAX_ROWS} at most in one import"]})
    rows: list[dict[str, JSON]] = []
    wrong: dict[str, list[str]] = {}
    for index, data in enumerate(given):
        if not isinstance(data, Mapping):
            wrong[f"rows.{index}"] = ["must be an object with values by columns"]
            continue
        kept, problems = checked(columns, data, f"rows.{index}.data")
        rows.append(kept)
        wrong.update(problems)
        if len(wrong) >= _NAMED_PROBLEMS:
            break
    if wrong:
        raise ValidationFailed(dict(islice(wrong.items(), _NAMED_PROBLEMS)))
    return rows


def _from_csv(columns: Sequence[Column], text: str) -> list[JSON]:
    if "\0" in text:
        raise ValidationFailed({"body": ["must not hold a NUL character"]})
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        head = _head(columns, next(lines, []))
        found = (line for line in lines if line)
        return [_row(head, line, index) for index, line in _bounded(found)]
    except csv.Error as error:
        message = f"is not CSV, line {lines.line_num}: {error}"
        raise ValidationFailed({"body": [message]}) from error


def _bounded(lines: Iterable[list[str]]) -> Iterable[tuple[int, list[str]]]:
    return enumerate(islice(lines, MAX_ROWS + 1))


def _head(columns: Sequence[Column], names: list[str]) -> list[Column]:
    by_name = {column.name: column for column in columns}
    by_name |= {column.key: column for column in columns}
    head: list[Column] = []
    for place, name in enumerate(names):
        column = by_name.get(name.strip())
        if column is None:
            raise ValidationFailed({f"header.{place}": [f"'{name}' is not a column of this table"]})
        if column in head:
            raise ValidationFailed({f"header.{place}": [f"'{name}' is there twice"]})
        head.append(column)
    if not head:
        raise ValidationFailed({"header": ["the first line must name the columns"]})
    return head


def _row(head: Sequence[Column], cells: Sequence[str], index: int) -> dict[str, JSON]:
    if len(cells) > len(head):
        raise ValidationFailed({f"rows.{index}": ["has more values than the first line has names"]})
    return {
        column.key: _typed(column, cell)
        for column, cell in zip(head, cells, strict=False)
        if cell != ""
    }


def _typed(column: Column, cell: str) -> JSON:
    """A cell in its column's type; one that does not fit stays a text, and is refused later."""
    text = cell.strip()
    match column.type:
        case "number":
            return _number(text) if "_" not in text else text
        case "boolean":
            return _BOOLEANS.get(text.lower(), cell)
        case "multiselect":
            return [part.strip() for part in text.split(";") if part.strip()]
        case "json":
            return _json(text)
        case "text":
            return cell
        case _:
            return text


def _number(text: str) -> JSON:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _json(text: str) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
