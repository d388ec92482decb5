"""The preview of a file of rows: how to read it, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from automations.definitions.field_errors import field_errors
from automations.domain.tables.columns import Column
from automations.domain.tables.previews import CHARSETS, Choices, Preview
from automations.errors import ValidationFailed
from automations.services.tables.row_files import ParsedFile

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
"""What values are separated by, by the words for it."""
_MAX_LINES = 10
"""Numbers of lines that are named of each thing that is wrong."""
_MAX_REASONS = 50


class ImportQuery(BaseModel):
    """How a file is to be read, as an address or a form says it.

    Args:
        sheet: of a workbook.
        of_sheet: the one that ``to`` was chosen for.
        to: the keys of the columns that the file's go to, by their places.
    """

    sheet: str = Field("", max_length=200)
    of_sheet: str = Field("", max_length=200)
    charset: str = Field("", max_length=50)
    separator: str = Field("", max_length=20)
    headed: str = Field("", max_length=10)
    to: list[str] = Field(default_factory=list, max_length=500)

    def choices(self) -> Choices:
        """The same as the reader takes it; what is not said is guessed."""
        return Choices(
            self.charset if self.charset in CHARSETS else None,
            SEPARATORS.get(self.separator),
            {"yes": True, "no": False}.get(self.headed),
            self.to if self.to and self.of_sheet in ("", self.sheet) else None,
            self.sheet or None,
        )


def read_query(query: dict[str, Any]) -> ImportQuery:
    """How a form says that its file is to be read.

    Raises:
        ValidationFailed: it says more than may be said; names the inputs.
    """
    try:
        return ImportQuery.model_validate(query)
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, query)) from error


class ExportQuery(BaseModel):
    """Which rows are to be a file, and of which kind."""

    kind: str = Field("csv", max_length=20)
    q: str = Field("", max_length=200)
    rule: list[str] = Field(default_factory=list, max_length=20)
    match: str = Field("", max_length=10)
    sort: str = Field("", max_length=200)


@dataclass(frozen=True, slots=True)
class Reason:
    """What is wrong with values of a column: how often, and in which lines first."""

    column: str
    message: str
    count: int
    lines: Sequence[int]


@dataclass(frozen=True, slots=True)
class Summary:
    """What would become of a file."""

    separator: str
    fitting: int
    refused: int
    reasons: Sequence[Reason]
    left_out: Sequence[str]
    unfilled: Sequence[str]


def summary(preview: Preview | None, columns: Sequence[Column]) -> Summary | None:
    """What would become of a file, for people; None where it cannot be read."""
    if preview is None:
        return None
    names = {column.key: column.name for column in columns}
    counted: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], list[int]] = {}
    for row in preview.refused:
        for key, messages in row.problems.items():
            reason = (names.get(key, key), "; ".join(messages))
            counted[reason] += 1
            if len(numbers := lines.setdefault(reason, [])) < _MAX_LINES:
                numbers.append(row.line)
    return Summary(
        next((word for word, sign in SEPARATORS.items() if sign == preview.separator), ""),
        len(preview.rows),
        len(preview.refused),
        [
            Reason(column, message, count, lines[column, message])
            for (column, message), count in counted.most_common(_MAX_REASONS)
        ],
        [
            name
            for name, key in zip(preview.names, preview.targets, strict=True)
            if name and not key
        ],
        [column.name for column in columns if column.key not in preview.targets],
    )


def charsets(file: ParsedFile | None) -> Sequence[str]:
    """The charsets that one may choose, with the one that is guessed."""
    guessed = file.preview.charset if file and file.preview else ""
    return list(dict.fromkeys((*CHARSETS, guessed))) if guessed else CHARSETS
