"""Imports rows from JSON, or from CSV whose texts are converted to the columns' types."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice

from automations.domain.tables.cells import is_nothing, parse_text
from automations.domain.tables.columns import MAX_ROW_BYTES, Column, validate
from automations.errors import ValidationFailed
from automations.kit.csv_cells import EMPTY_TEXT, is_filled
from automations.kit.values import JSON, Errors
from automations.kit.workbooks import reading
from automations.kit.workbooks.package import NotAWorkbook

MAX_ROWS = 50_000
"""Of one file, which is one transaction."""
_MAX_PROBLEMS = 100
SEPARATORS = (",", ";", "\t", "|")
SAID = re.compile(r'"?sep=([^"\r\n])"?\r?\n', re.IGNORECASE)
"""A first line by which spreadsheets are told what separates values."""
# In an atomic group: Python before 3.11.5 takes of "*+" what its last, failed round has passed.
_FIRST = re.compile(r'(?>(?:[^"\r\n]++|"[^"]*+")*)')
"""A text's first line, of which a cell in quotes may have several."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
MAX_LINE = 4 * MAX_ROW_BYTES
"""Characters of one row as it is written: each quote in it comes twice, and not all is taken."""
_EMPTY = "\0"
"""What an empty text is read as: no text has it."""
# Else a cell has 131 072 characters at most, and what an export has written cannot be read again.
csv.field_size_limit(MAX_ROW_BYTES)

Source = str | list[JSON]
"""A CSV text, or a list of rows' values."""


def rows_of(columns: Sequence[Column], source: Source) -> list[dict[str, JSON]]:
    """The rows of an import as they are kept.

    Raises:
        ValidationFailed: some do not fit; the first of them are named, ``rows.0`` on.
    """
    return list(rows_in(columns, source))


def rows_in(columns: Sequence[Column], source: Source) -> Iterator[dict[str, JSON]]:
    """The same one by one, so that many are not held at once; none behind one that does not fit.

    Raises:
        ValidationFailed: as ``rows_of``, when all have been looked at.
    """
    parsed = (
        _from_csv(columns, source) if isinstance(source, str) else ((row, {}) for row in source)
    )
    errors: Errors = {}
    for index, (data, unread) in enumerate(parsed):
        if index == MAX_ROWS:
            raise ValidationFailed({"rows": [f"may be {MAX_ROWS} at most in one import"]})
        if not isinstance(data, Mapping):
            errors[f"rows.{index}"] = ["must be an object with values by columns"]
            continue
        path = f"rows.{index}.data"
        row_values, problems = validate(columns, data, path)
        errors |= problems | {f"{path}.{key}": messages for key, messages in unread.items()}
        if len(errors) >= _MAX_PROBLEMS:
            break
        if not errors:
            yield row_values
    if errors:
        raise ValidationFailed(dict(islice(errors.items(), _MAX_PROBLEMS)))


def workbook_text(content: bytes, sheet: str | None) -> str:
    """A sheet of a workbook as CSV.

    Raises:
        ValidationFailed: it cannot be read, or has no such sheet.
    """
    try:
        return reading.read(content, sheet, MAX_ROWS + 2).text
    except NotAWorkbook as problem:
        raise ValidationFailed({"body": [str(problem)]}) from problem


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A text as one separator divides it, read again whenever its lines are asked for.

    Args:
        separator: what divides it.
        head: the columns that the first line names.
        blank: places of columns that have neither a name nor a value, as spreadsheets leave them.
        is_exact: whether no line has more cells than the first one.
    """

    text: str
    separator: str
    head: Sequence[Column]
    blank: frozenset[int]
    is_exact: bool

    def lines(self) -> Iterator[list[str]]:
        """The lines behind the first one, but for those that have nothing."""
        for line in islice(_skip_blank(Lines(self.text, self.separator)), 1, MAX_ROWS + 2):
            yield _without_columns(line, self.blank)


def separator_of(columns: Sequence[Column], text: str) -> str | None:
    """What divides a text whose first line names columns; None where no separator gives that."""
    try:
        return _sheet(columns, text).separator
    except ValidationFailed:
        return None


def without_hint(text: str) -> str:
    """A text without a first line that only says what separates its values."""
    hint = SAID.match(text)
    return text[hint.end() :] if hint else text


class Lines:
    """A text's rows, as one separator divides them, with few of them in memory.

    Where quotes stand behind blanks, as people and some programs write them, blanks behind a
    separator are no part of a value: no other program writes such quotes. Nor are blanks between
    the quote that ends a value and the separator.

    Two quotes with nothing in between are an empty text, unless the first line is in quotes, too:
    whoever writes all cells so says nothing by it.
    """

    def __init__(self, text: str, separator: str) -> None:
        self._length = 0
        is_padded = _has_padded_quotes(text, separator)
        has_empty = _has_empty_texts(text, separator)
        self._reader = csv.reader(
            self._split_lines(text, _replacements(text, separator, is_padded, has_empty)),
            delimiter=separator,
            strict=True,
            skipinitialspace=is_padded,
        )

    def __iter__(self) -> Iterator[list[str]]:
        for cells in self._reader:
            self._length = 0
            if _EMPTY in cells:
                cells = [EMPTY_TEXT if cell == _EMPTY else cell for cell in cells]
            yield cells

    @property
    def line_num(self) -> int:
        """How many of the text's lines were read; a row in quotes may have several."""
        return self._reader.line_num

    def _split_lines(
        self, text: str, replacements: Iterator[tuple[int, int, str]]
    ) -> Iterator[str]:
        end = (len(text), len(text), "")
        start, behind, replacement = next(replacements, end)
        for line in _LINE.finditer(text):
            self._length += line.end() - line.start()
            if self._length > MAX_LINE:
                raise csv.Error(f"a row has more than {MAX_LINE} characters")
            at, kept = line.start(), ""
            while start < line.end():
                kept += text[at:start] + replacement
                at = behind
                start, behind, replacement = next(replacements, end)
            yield kept + text[at : line.end()]


def _has_padded_quotes(text: str, separator: str) -> bool:
    # Behind an even number of quotes one begins a cell: two within one are an end and a beginning.
    number, counted = 0, 0
    for gap in re.finditer(re.escape(separator) + ' +"', text):
        number += text.count('"', counted, gap.end() - 1)
        counted = gap.end() - 1
        if number % 2 == 0:
            return True
    return False


def _has_empty_texts(text: str, separator: str) -> bool:
    if text.lstrip("\ufeff\r\n ").startswith('"'):
        return False
    sign = re.escape(separator)
    written = rf'(?:^|[{sign}\r\n]) *""(?= *(?:[{sign}\r\n]|\Z))'
    return re.search(written, text) is not None


def _replacements(
    text: str, separator: str, is_padded: bool, has_empty: bool
) -> Iterator[tuple[int, int, str]]:
    """What is read otherwise than it is written: blanks behind quotes, and empty texts."""
    sign = re.escape(separator)
    end = rf"(?=[{sign}\r\n]|\Z)"
    has_blanks = separator != " " and re.search(rf'" +{end}', text) is not None
    if not has_blanks and not has_empty:
        return
    # Cell by cell, since the same signs may stand within one.
    padding = " *" if is_padded else ""
    blanks = rf"(?P<blanks> +{end})?" if has_blanks else "(?P<blanks>(?!))?"
    empty = rf'(?P<empty>"")(?={" *" if has_blanks else ""}{end})'
    quoted = rf'{padding}(?:{empty}|"(?>(?:[^"]+|"")*)"){blanks}'
    for cell in re.finditer(rf"{quoted}|[^{sign}\r\n]+", text):
        if has_empty and cell["empty"] is not None:
            yield *cell.span("empty"), _EMPTY
        if cell["blanks"] is not None:
            yield *cell.span("blanks"), ""


def explain(problem: csv.Error) -> str:
    """What is wrong with a text as CSV, in the words of who wrote it."""
    message = str(problem)
    if message.endswith("expected after '\"'"):
        return "has something between the quote that ends a value and the separator"
    if message == "unexpected end of data":
        return "ends within a value in quotes"
    return message


def _from_csv(columns: Sequence[Column], text: str) -> Iterator[tuple[JSON, Errors]]:
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise ValidationFailed({"body": ["must not hold a NUL character"]})
    sheet = _sheet(columns, text)
    for index, line in enumerate(sheet.lines()):
        if any(cell.strip() for cell in line[len(sheet.head) :]):
            message = "has more values than the first line has names"
            raise ValidationFailed({f"rows.{index}": [message]})
        if any(line) or any(not is_nothing(*cell) for cell in zip(sheet.head, line, strict=False)):
            yield _row(sheet.head, line)


def _sheet(columns: Sequence[Column], text: str) -> _Sheet:
    """A text by the separator that fits it: its first line names columns, and no other is longer.

    Raises:
        ValidationFailed: none fits; says why the one does not that divides the first line most.
    """
    hint = SAID.match(text)
    separators = (hint[1],) if hint else SEPARATORS
    text = text[hint.end() :] if hint else text
    match = _FIRST.match(text)
    first = match.group() if match else ""
    fitting: list[_Sheet] = []
    problems: list[tuple[int, ValidationFailed]] = []
    for separator in separators:
        try:
            sheet = _read_separated(columns, text, separator)
        except ValidationFailed as problem:
            problems.append((first.count(separator), problem))
            continue
        if sheet.is_exact:
            return sheet
        fitting.append(sheet)
    if fitting:
        return fitting[0]
    raise max(problems, key=lambda problem: problem[0])[1]


def _read_separated(columns: Sequence[Column], text: str, separator: str) -> _Sheet:
    lines = Lines(text, separator)
    try:
        filled = _skip_blank(lines)
        first = next(filled, [])
        blank = {place for place, name in enumerate(first) if not name.strip()}
        is_exact = True
        for line in islice(filled, MAX_ROWS + 1):
            blank -= {place for place in blank if place < len(line) and line[place].strip()}
            is_exact = is_exact and len(line) <= len(first)
        head = _head(columns, _without_columns(first, blank))
    except csv.Error as error:
        message = f"is not CSV, line {lines.line_num}: {explain(error)}"
        raise ValidationFailed({"body": [message]}) from error
    return _Sheet(text, separator, head, frozenset(blank), is_exact)


def _skip_blank(lines: Lines) -> Iterator[list[str]]:
    # Spreadsheets write lines of separators only where somebody has cleared a row.
    return (line for line in lines if is_filled(line))


def _without_columns(line: list[str], blank: Set[int]) -> list[str]:
    if not blank:
        return line
    return [cell for place, cell in enumerate(line) if place not in blank]


def _head(columns: Sequence[Column], names: list[str]) -> list[Column]:
    shared = Counter(_on_one_line(column.name) for column in columns)
    by_name = {_on_one_line(column.name): column for column in columns}
    by_key = {column.key: column for column in columns}
    head: list[Column] = []
    named = [_on_one_line(name) for name in names]
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


def _on_one_line(name: str) -> str:
    """A name as it is compared: spreadsheets break it where the column is narrow."""
    return " ".join(name.split())


def _row(head: Sequence[Column], cells: Sequence[str]) -> tuple[dict[str, JSON], Errors]:
    """The values of a line's cells, and what is wrong with those that cannot be read."""
    values: dict[str, JSON] = {}
    errors: Errors = {}
    for column, cell in zip(head, cells, strict=False):
        if is_nothing(column, cell):
            continue
        try:
            values[column.key] = parse_text(column, cell)
        except ValueError as error:
            errors[column.key] = [str(error)]
    return values, errors
