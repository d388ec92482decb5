"""Previews of imports: how a file is read, what it would add, and what is refused.

What nobody has said is guessed, and shown: the charset, what separates values, whether the first
line names columns, and which of them goes where.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from automations.domain.tables.cells import is_nothing, parse_text
from automations.domain.tables.columns import Column, validate
from automations.domain.tables.imports import (
    MAX_ROWS,
    SAID,
    SEPARATORS,
    Lines,
    explain,
    separator_of,
    without_hint,
)
from automations.errors import ValidationFailed
from automations.kit import declared_text, json_text
from automations.kit.csv_cells import is_filled
from automations.kit.values import JSON, Errors
from automations.kit.workbooks import reading
from automations.kit.workbooks.package import NotAWorkbook, is_packed

CHARSETS = (
    *("utf-8", "utf-16", "windows-1252", "windows-1250", "windows-1251", "iso-8859-1"),
    *("iso-8859-2", "shift_jis", "gb18030"),
)
"""Those that one may choose."""
MAX_CELLS = 500
"""Of a line: more columns than any table has are no file of rows."""
MAX_VALUES = 2_000_000
"""Of a file: each is some sixty bytes here, more than in the file."""
_MAX_PROBLEMS = 10_000
"""That are kept of a file; of further rows one each."""
_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """How somebody wants a file to be read; what is None is guessed.

    Args:
        headed: whether the first line names columns.
        targets: the keys of the columns that the file's go to, by their places; "" leaves one out.
        sheet: of a workbook the name of the one that is read.
    """

    charset: str | None = None
    separator: str | None = None
    headed: bool | None = None
    targets: Sequence[str] | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that does not fit, and what is wrong with it by columns."""

    line: int
    problems: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Preview:
    """A file as it is read.

    Args:
        separator: empty for a list in JSON, which has none.
        names: what the file calls its columns.
        targets: the keys of the columns that they go to; "" where one is left out.
        lines: the first of its lines.
        rows: the values of those rows that fit.
        refused: those that do not.
        wrong: why nothing of it can be added as it is read now.
        sheet: of a workbook the one that is read.
    """

    charset: str
    separator: str
    headed: bool
    names: Sequence[str]
    targets: Sequence[str]
    lines: Sequence[Sequence[str]]
    rows: Sequence[Mapping[str, JSON]]
    refused: Sequence[Refused] = ()
    wrong: Errors = field(default_factory=dict)
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class _Text:
    """A file's text, and what is known of how it is divided."""

    charset: str
    text: str
    separator: str | None = None
    sheet: str = ""


def sheets(content: bytes) -> Sequence[str]:
    """The names of a workbook's sheets; none of a text, or of what cannot be read."""
    try:
        return reading.sheets(content) if is_packed(content) else ()
    except NotAWorkbook:
        return ()


def read(columns: Sequence[Column], content: bytes, choices: Choices, shown: int) -> Preview:
    """A file as a person's choices, and guesses for the rest, have it read.

    Args:
        columns: those that rows may be given values for.
        shown: how many of its lines are shown.

    Raises:
        ValidationFailed: it is neither a workbook nor a text, or has no rows at all.
    """
    file = _of_workbook(content, choices) if is_packed(content) else _text(content, choices)
    text, separator = file.text, file.separator
    if separator is None and text.lstrip().startswith("["):
        return _of_json(columns, text, file.charset, shown)
    separator = separator or _separator(columns, text)
    lines = _lines(without_hint(text), separator)
    if not lines:
        raise ValidationFailed({"file": ["is empty"]})
    first = lines[0][1]
    headed = _is_head(columns, first) if choices.headed is None else choices.headed
    width = max(len(cells) for _, cells in lines)
    body = lines[1:] if headed else lines
    del lines
    names = [
        first[place].strip() if headed and place < len(first) else "" for place in range(width)
    ]
    targets = choices.targets
    if targets is None or len(targets) != width:
        targets = _targets(columns, names, headed)
    mapping_problems = _wrong(columns, targets, len(body))
    rows: list[Mapping[str, JSON]] = []
    refused: list[Refused] = []
    by_key = {column.key: column for column in columns}
    taken = [(place, by_key[key]) for place, key in enumerate(targets) if key in by_key]
    first_lines = [cells for _, cells in body[:shown]]
    body.reverse()
    while body and not mapping_problems:
        # Of a line that has become a row, nothing else is kept.
        line, cells = body.pop()
        values, problems = _values(taken, cells)
        if any(cells) or values:
            _judge(columns, line, values, problems, rows, refused)
    return Preview(
        file.charset,
        separator,
        headed,
        names,
        targets,
        first_lines,
        rows,
        refused,
        mapping_problems,
        file.sheet,
    )


def _of_workbook(content: bytes, choices: Choices) -> _Text:
    try:
        sheet = reading.read(content, choices.sheet, MAX_ROWS + 2)
    except NotAWorkbook as problem:
        raise ValidationFailed({"file": [str(problem)]}) from problem
    return _Text("utf-8", sheet.text, ",", sheet.name)


def _text(content: bytes, choices: Choices) -> _Text:
    """A file's text in the charset that it says to be in or was chosen, else in a guess."""
    chosen = choices.charset
    for charset in (chosen,) if chosen else ("utf-8", "windows-1252"):
        try:
            text = json_text.decode(content, charset)
        except ValueError:
            continue
        if "\0" in text:
            break
        return _Text(declared_text.bom_charset(content) or charset, text, choices.separator)
    if chosen and declared_text.decode(content, chosen) is None:
        raise ValidationFailed({"charset": [f"the file is not {chosen}: choose another one"]})
    raise ValidationFailed({"file": ["is no text: save it as CSV, and choose that file"]})


def _separator(columns: Sequence[Column], text: str) -> str:
    """What divides a text: so that its first line names columns, else has the most cells."""
    by_header = separator_of(columns, text)
    if by_header is not None:
        return by_header
    if hint := SAID.match(text):
        return hint[1]

    def fitness(separator: str) -> tuple[int, int]:
        try:
            first = next(iter(Lines(text, separator)), [])
        except csv.Error:
            return (0, 0)
        matched = sum(_match(columns, name) is not None for name in first)
        return matched, len(first)

    return max(SEPARATORS, key=fitness)


def _lines(text: str, separator: str) -> list[tuple[int, list[str]]]:
    """The lines that have anything, with their numbers as spreadsheets count them."""
    reader = Lines(text, separator)
    filled = ((number, cells) for number, cells in enumerate(reader, 1) if is_filled(cells))
    lines: list[tuple[int, list[str]]] = []
    count = 0
    try:
        for number, cells in islice(filled, MAX_ROWS + 2):
            if len(cells) > MAX_CELLS:
                message = f"has more than {MAX_CELLS} values in a line: choose another separator"
                raise ValidationFailed({"file": [message]})
            count += len(cells)
            if count > MAX_VALUES:
                message = f"has more than {MAX_VALUES:,} values: divide it into several files"
                raise ValidationFailed({"file": [message]})
            lines.append((number, cells))
    except csv.Error as error:
        raise ValidationFailed(
            {"file": [f"is not CSV, line {reader.line_num}: {explain(error)}"]}
        ) from error
    return lines


def _is_head(columns: Sequence[Column], first: Sequence[str]) -> bool:
    """Whether a first line names columns, rather than being a row of theirs."""
    if any(_match(columns, name) is not None for name in first):
        return True
    values, problems = _values(list(enumerate(columns)), first)
    fits = not problems and not validate(columns, values)[1]
    return not (fits and any(not column.is_text() for column in columns))


def _targets(columns: Sequence[Column], names: Sequence[str], headed: bool) -> list[str]:
    if not headed:
        keys = [column.key for column in columns]
        return [*keys, *[""] * len(names)][: len(names)]
    targets: list[str] = []
    for name in names:
        column = _match(columns, name)
        targets.append(column.key if column and column.key not in targets else "")
    return targets


def _match(columns: Sequence[Column], name: str) -> Column | None:
    """The column that a file means by a name: its key, its name, or either in other letters."""
    name = name.strip()
    if not name:
        return None
    for column in columns:
        if column.key == name:
            return column
    named = [column for column in columns if column.name.strip() == name]
    if not named:
        alike = _alike(name)
        named = [
            candidate
            for candidate in columns
            if alike in (_alike(candidate.key), _alike(candidate.name))
        ]
    return named[0] if len(named) == 1 else None


def _alike(name: str) -> str:
    return _WORDS.sub("", name.casefold())


def _wrong(columns: Sequence[Column], targets: Sequence[str], count: int) -> Errors:
    by_key = {column.key: column for column in columns}
    twice = [key for key, number in Counter(filter(None, targets)).items() if number > 1]
    errors: Errors = {}
    for key in twice:
        name = by_key[key].name if key in by_key else key
        errors["columns"] = [f"several of the file's go to '{name}': leave all but one out"]
    if unknown := [key for key in targets if key and key not in by_key]:
        errors["columns"] = [f"'{unknown[0]}' is not a column that can be filled"]
    if not any(targets):
        errors["columns"] = ["none of the file's goes to a column: choose one at least"]
    if count == 0:
        errors["file"] = ["has no rows behind its first line"]
    if count > MAX_ROWS:
        errors["file"] = [f"has more than {MAX_ROWS} rows: divide it into several files"]
    return errors


def _values(
    taken: Sequence[tuple[int, Column]], cells: Sequence[str]
) -> tuple[dict[str, JSON], Errors]:
    values: dict[str, JSON] = {}
    problems: Errors = {}
    for place, column in taken:
        cell = cells[place] if place < len(cells) else ""
        if is_nothing(column, cell):
            continue
        try:
            values[column.key] = parse_text(column, cell)
        except ValueError as error:
            problems[column.key] = [str(error)]
    return values, problems


def _judge(
    columns: Sequence[Column],
    line: int,
    values: Mapping[str, JSON],
    problems: Errors,
    rows: list[Mapping[str, JSON]],
    refused: list[Refused],
) -> None:
    _, errors = validate(columns, values, "")
    # A value that could not even be read is no missing one.
    problems_by_path = {
        path.removeprefix("."): messages for path, messages in errors.items()
    } | problems
    if problems_by_path and len(refused) * len(columns) > _MAX_PROBLEMS:
        problems_by_path = dict(islice(problems_by_path.items(), 1))
    if problems_by_path:
        refused.append(Refused(line, problems_by_path))
    else:
        rows.append(values)


def _of_json(columns: Sequence[Column], text: str, charset: str, shown: int) -> Preview:
    try:
        entries = json_text.parse_json(text)
    except ValueError as error:
        raise ValidationFailed({"file": [str(error)]}) from error
    rows: list[Mapping[str, JSON]] = []
    refused: list[Refused] = []
    if any(len(row) > MAX_CELLS for row in _objects(entries)):
        raise ValidationFailed({"file": [f"has more than {MAX_CELLS} values in a row"]})
    errors = {} if entries else {"file": ["has no rows"]}
    if len(entries) > MAX_ROWS:
        errors = {"file": [f"has more than {MAX_ROWS} rows: divide it into several files"]}
    for number, row in () if errors else enumerate(entries, 1):
        if isinstance(row, Mapping):
            _judge(columns, number, row, {}, rows, refused)
        else:
            refused.append(Refused(number, {"": ["must be an object with values by columns"]}))
    names = list(
        dict.fromkeys(key for row in entries[:shown] if isinstance(row, dict) for key in row)
    )
    lines = [[_plain(row.get(name)) for name in names] for row in _objects(entries[:shown])]
    return Preview(charset, "", True, names, names, lines, rows, refused, errors)


def _objects(rows: Sequence[JSON]) -> Iterator[Mapping[str, JSON]]:
    return (row for row in rows if isinstance(row, Mapping))


def _plain(value: JSON) -> str:
    return "" if value is None else str(value)
