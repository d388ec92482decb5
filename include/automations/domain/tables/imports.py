"""Many rows at once: from JSON, or from CSV whose texts become the columns' types."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from automations.domain.tables.columns import Column, checked
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.numbers import typed
from automations.kit.values import JSON, Errors

MAX_ROWS = 50_000
"""Of one file, which is one transaction."""
_NAMED_PROBLEMS = 100
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SEPARATORS = (",", ";", "\t", "|")
_SAID = re.compile(r"sep=(.)\r?\n")
"""A first line by which spreadsheets are told what separates values."""

Source = str | list[JSON]
"""A CSV text, or a list of rows' values."""


def rows_of(columns: Sequence[Column], source: Source) -> list[dict[str, JSON]]:
    """The rows of an import as they are kept.

    Raises:
        ValidationFailed: some do not fit; the first of them are named, ``rows.0`` on.
    """
    found = _from_csv(columns, source) if isinstance(source, str) else ((one, {}) for one in source)
    rows: list[dict[str, JSON]] = []
    wrong: Errors = {}
    for index, (data, unread) in enumerate(found):
        if index == MAX_ROWS:
            raise ValidationFailed({"rows": [f"may be {MAX_ROWS} at most in one import"]})
        if not isinstance(data, Mapping):
            wrong[f"rows.{index}"] = ["must be an object with values by columns"]
            continue
        path = f"rows.{index}.data"
        kept, problems = checked(columns, data, path)
        rows.append(kept)
        wrong |= problems | {f"{path}.{key}": messages for key, messages in unread.items()}
        if len(wrong) >= _NAMED_PROBLEMS:
            break
    if wrong:
        raise ValidationFailed(dict(islice(wrong.items(), _NAMED_PROBLEMS)))
    return rows


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A text as one separator divides it.

    Args:
        head: the columns that the first line names.
        width: how many cells the first line has, empty ones at its end, too.
        is_exact: whether no line has more cells than that.
    """

    head: Sequence[Column]
    width: int
    lines: Sequence[Sequence[str]]
    is_exact: bool


def _from_csv(columns: Sequence[Column], text: str) -> Iterator[tuple[JSON, Errors]]:
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise ValidationFailed({"body": ["must not hold a NUL character"]})
    sheet = _sheet(columns, text)
    for index, line in enumerate(sheet.lines):
        if any(cell.strip() for cell in line[len(sheet.head) :]):
            message = "has more values than the first line has names"
            raise ValidationFailed({f"rows.{index}": [message]})
        yield _row(sheet.head, line)


def _sheet(columns: Sequence[Column], text: str) -> _Sheet:
    """A text by the separator that fits it: its first line names columns, and no other is longer.

    Raises:
        ValidationFailed: none fits; says why the one does not that divides the first line most.
    """
    said = _SAID.match(text)
    separators = (said[1],) if said else _SEPARATORS
    text = text[said.end() :] if said else text
    fitting: list[_Sheet] = []
    problems: list[tuple[int, ValidationFailed]] = []
    for separator in separators:
        try:
            sheet = _divided(columns, text, separator)
        except ValidationFailed as problem:
            names = text.partition("\n")[0].count(separator)
            problems.append((names, problem))
            continue
        if sheet.is_exact:
            return sheet
        fitting.append(sheet)
    if fitting:
        return fitting[0]
    raise max(problems, key=lambda problem: problem[0])[1]


def _divided(columns: Sequence[Column], text: str, separator: str) -> _Sheet:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        # Spreadsheets write lines of separators only where somebody has cleared a row.
        filled = (line for line in lines if any(cell != "" for cell in line))
        first = next(filled, [])
        found = list(islice(filled, MAX_ROWS + 1))
        first, found = _without_blank(first, found)
        head = _head(columns, first)
    except csv.Error as error:
        message = f"is not CSV, line {lines.line_num}: {error}"
        raise ValidationFailed({"body": [message]}) from error
    return _Sheet(head, len(first), found, all(len(line) <= len(first) for line in found))


def _without_blank(first: list[str], lines: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """A sheet without columns that have neither a name nor a value, as spreadsheets leave them."""
    unnamed = [place for place, name in enumerate(first) if not name.strip()]
    blank = {
        place
        for place in unnamed
        if not any(line[place].strip() for line in lines if place < len(line))
    }
    if not blank:
        return first, lines

    def kept(line: list[str]) -> list[str]:
        return [cell for place, cell in enumerate(line) if place not in blank]

    return kept(first), [kept(line) for line in lines]


def _head(columns: Sequence[Column], names: list[str]) -> list[Column]:
    shared = Counter(column.name.strip() for column in columns)
    by_name = {column.name.strip(): column for column in columns}
    by_key = {column.key: column for column in columns}
    head: list[Column] = []
    named = [name.strip() for name in names]
    while named and not named[-1]:
        named.pop()
    for place, name in enumerate(named):
        if not name:
            raise ValidationFailed({f"header.{place}": ["has no name, but values below it"]})
        column = by_key.get(name) or by_name.get(name)
        if column is None:
            raise ValidationFailed({f"header.{place}": [f"'{name}' is not a column of this table"]})
        if name not in by_key and shared[name] > 1:
            message = f"'{name}' is the name of several columns: write their keys"
            raise ValidationFailed({f"header.{place}": [message]})
        if column in head:
            raise ValidationFailed({f"header.{place}": [f"'{name}' is there twice"]})
        head.append(column)
    if not head:
        raise ValidationFailed({"header": ["the first line must name the columns"]})
    return head


def _row(head: Sequence[Column], cells: Sequence[str]) -> tuple[dict[str, JSON], Errors]:
    """The values of a line's cells, and what is wrong with those that cannot be read."""
    values: dict[str, JSON] = {}
    wrong: Errors = {}
    for column, cell in zip(head, cells, strict=False):
        # Blanks are a text, and nothing of any other type.
        if cell == "" or (column.type != "text" and not cell.strip()):
            continue
        try:
            values[column.key] = _typed(column, cell)
        except ValueError as error:
            wrong[column.key] = [str(error)]
    return values, wrong


def _typed(column: Column, cell: str) -> JSON:
    """A cell in its column's type; one that does not fit stays a text, and is refused later.

    Raises:
        ValueError: it cannot be kept, and why.
    """
    text = cell.strip()
    match column.type:
        case "number":
            number = typed(text)
            if number is None:
                raise ValueError("must be a number such as -1234.5, with no other sign in it")
            return number
        case "boolean":
            return _BOOLEANS.get(text.lower(), cell)
        case "multiselect":
            return _several(text)
        case "json":
            return json_text.parsed(text)
        case "text":
            return cell
        case _:
            return text


def _several(text: str) -> JSON:
    """Values with ``;`` between them, or a list in JSON."""
    if text.startswith("["):
        try:
            return json_text.parsed(text)
        except ValueError:
            pass
    return [part.strip() for part in text.split(";") if part.strip()]
