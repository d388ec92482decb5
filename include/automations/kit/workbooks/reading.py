"""One sheet of a workbook as CSV: values as they are kept, not as they are painted.

Numbers have no thousands in them, dates are ISO 8601, and what a formula came to stands for it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from automations.kit.csv_cells import EMPTY_TEXT, line_of
from automations.kit.workbooks.cells import Dates, date_kind, number, unescape_text
from automations.kit.workbooks.package import NotAWorkbook, Package, Relation, open_package

MAX_TEXT: Final = 16_000_000
"""Of a sheet, as of a CSV file: a text that is kept once may stand in each of its cells."""
_MAX_CELLS = 3_000_000
_MAX_SHEETS = 1_000
_MAX_NAME = 100
_MAX_ROW = 1_048_576
_MAX_COLUMN = 16_384
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{0,7})")
_HINT = "sep=,\r\n"
"""By which whoever reads the text knows what divides it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One of a workbook's sheets.

    Args:
        text: CSV, whose first line says what separates it; the others are numbered as rows are.
    """

    name: str
    text: str


def sheets(content: bytes) -> Sequence[str]:
    """The names of a workbook's sheets that one may choose; hidden ones where all are.

    Raises:
        NotAWorkbook: it cannot be read.
    """
    with open_package(content) as package:
        return list(_Book.of(package).sheets)


def read(content: bytes, sheet_name: str | None, max_cells: int) -> Sheet:
    """A sheet of a workbook; the first one that is shown where none is wanted.

    Args:
        max_cells: rows with a value that are read.

    Raises:
        NotAWorkbook: it cannot be read, or has no such sheet.
    """
    with open_package(content) as package:
        book = _Book.of(package)
        name = next(iter(book.sheets)) if sheet_name is None else sheet_name
        if name not in book.sheets:
            raise NotAWorkbook(f"has no sheet '{name}': it has {', '.join(list(book.sheets)[:20])}")
        texts, styles = _Texts(), _Styles()
        package.parse(book.part("sharedStrings"), texts.begin, texts.end, texts.add)
        package.parse(book.part("styles"), styles.begin)
        cells = _Cells(texts.found, styles.kinds(), Dates(book.is_of_1904), max_cells)
        cells.read(package, book.sheets[name])
        return Sheet(name, cells.as_text())


class _Book:
    """What a workbook has, by its names."""

    @classmethod
    def of(cls, package: Package) -> _Book:
        """What a package has.

        Raises:
            NotAWorkbook: it has no sheet.
        """
        main, book = package.main(), cls()
        package.parse(main, book._begin)
        book._relations = package.relations(main)
        for name, key in (book._shown or book._hidden).items():
            relation = book._relations.get(key)
            if relation is not None and relation.kind.endswith("/worksheet"):
                book.sheets[name] = relation.part
        if not book.sheets:
            raise NotAWorkbook("has no sheet with cells")
        return book

    def __init__(self) -> None:
        self.sheets: dict[str, str] = {}
        self.is_of_1904 = False
        self._shown: dict[str, str] = {}
        self._hidden: dict[str, str] = {}
        self._relations: Mapping[str, Relation] = {}

    def part(self, kind: str) -> str:
        """The part of a kind; nothing where there is none."""
        parts = (
            relation.part
            for relation in self._relations.values()
            if relation.kind.endswith(f"/{kind}")
        )
        return next(parts, "")

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "workbookPr":
            self.is_of_1904 = attributes.get("date1904") in ("1", "true")
        elif tag == "sheet":
            name, is_shown = (
                attributes.get("name", ""),
                attributes.get("state", "visible") == "visible",
            )
            into = self._shown if is_shown else self._hidden
            into.setdefault(name, attributes.get("id", ""))
            if len(name) > _MAX_NAME or len(into) > _MAX_SHEETS:
                raise NotAWorkbook(
                    f"has more than {_MAX_SHEETS} sheets, or a name that is too long"
                )


class _Texts:
    """The texts that cells refer to: those of their pieces, without how they are pronounced."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._is_text, self._aside = False, 0

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "si":
            self._pieces = []
        elif tag == "rPh":
            self._aside += 1
        self._is_text = tag == "t" and not self._aside

    def add(self, text: str) -> None:
        if self._is_text:
            self._pieces.append(text)

    def end(self, tag: str) -> None:
        self._is_text = False
        if tag == "rPh":
            self._aside -= 1
        elif tag == "si":
            if len(self.found) == _MAX_CELLS:
                raise NotAWorkbook(f"has more than {_MAX_CELLS} texts: divide it")
            self.found.append(unescape_text("".join(self._pieces)))


class _Styles:
    """Which styles of cells show a number as a date or a time."""

    def __init__(self) -> None:
        self._formats: dict[str, str] = {}
        self._of_cells: list[str] = []
        self._is_of_cells = False

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "numFmt":
            self._formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif tag in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            self._is_of_cells = tag == "cellXfs"
        elif tag == "xf" and self._is_of_cells:
            self._of_cells.append(attributes.get("numFmtId", "0"))

    def kinds(self) -> list[str | None]:
        date_kinds = {
            number_format: date_kind(number_format, self._formats.get(number_format))
            for number_format in set(self._of_cells)
        }
        return [date_kinds[number_format] for number_format in self._of_cells]


class _EnoughRows(Exception):
    """There are more rows than are wanted."""


class _Cells:
    """The cells of a sheet, written as CSV while they are read."""

    def __init__(
        self, texts: Sequence[str], kinds: Sequence[str | None], dates: Dates, max_cells: int
    ) -> None:
        self._texts, self._kinds, self._dates, self._most = texts, kinds, dates, max_cells
        self._out = io.StringIO(_HINT, newline="")
        self._out.seek(0, io.SEEK_END)
        self._row, self._line, self._filled, self._count = 0, [""], 0, 0
        self._column, self._type, self._style = 0, "n", 0
        self._pieces: list[str] = []
        self._holds = self._has_value = self._has_formula = False
        self._aside = 0

    def read(self, package: Package, part: str) -> None:
        """Go through a sheet."""
        with suppress(_EnoughRows):
            package.parse(part, self._begin, self._end, self._text)

    def as_text(self) -> str:
        """All of it."""
        return self._out.getvalue()

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "row":
            self._begin_row(attributes.get("r", ""))
        elif tag == "c":
            self._begin_cell(attributes)
        elif tag == "f":
            self._has_formula = True
        elif tag == "rPh":
            self._aside += 1
        self._holds = tag == "v" or (tag == "t" and not self._aside)
        self._has_value = self._has_value or self._holds

    def _begin_row(self, number: str) -> None:
        row = int(number) if number.isascii() and number.isdigit() else self._row + 1
        if not self._row < row <= _MAX_ROW:
            raise NotAWorkbook(f"is a damaged workbook: row {number[:20]} is out of its order")
        # What is behind in this sheet has the number that it has there.
        self._out.write("\r\n" * (row - self._row - 1))
        self._row, self._line, self._column = row, [], 0

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > _MAX_CELLS:
            raise NotAWorkbook(f"has more than {_MAX_CELLS} cells in a sheet: divide it")
        place = _PLACE.fullmatch(attributes.get("r", ""))
        self._column = _column(place[1]) if place else self._column + 1
        if not len(self._line) < self._column <= _MAX_COLUMN:
            raise NotAWorkbook(f"is a damaged workbook: row {self._row} has cells out of order")
        style = attributes.get("s", "0")
        self._style = int(style) if style.isascii() and style.isdigit() else 0
        self._type, self._pieces = attributes.get("t", "n"), []
        self._has_value = self._has_formula = False

    def _text(self, text: str) -> None:
        if self._holds:
            self._pieces.append(text)

    def _end(self, tag: str) -> None:
        self._holds = False
        if tag == "rPh":
            self._aside -= 1
        elif tag == "c":
            self._end_cell()
        elif tag == "row":
            self._end_row()

    def _end_cell(self) -> None:
        if not self._has_value:
            if self._has_formula:
                raise NotAWorkbook(
                    f"has a formula in row {self._row} whose result was not saved with it: open "
                    "it in a spreadsheet program, save it there, and choose it again"
                )
            return
        value = self._value("".join(self._pieces))
        if value != "" or value is EMPTY_TEXT:
            self._line += [""] * (self._column - len(self._line) - 1)
            self._line.append(value)

    def _value(self, text: str) -> str:
        match self._type:
            case "s":
                place = int(text) if text.isascii() and text.isdigit() else -1
                if not 0 <= place < len(self._texts):
                    raise NotAWorkbook("is a damaged workbook: a cell has a text that is not there")
                return self._texts[place]
            case "b":
                return "true" if text.strip() in ("1", "true") else "false"
            case "n":
                kind = self._kinds[self._style] if self._style < len(self._kinds) else None
                return number(text.strip(), kind, self._dates)
            case "inlineStr" if text == "":
                # Many programs share one for cells that have nothing.
                return EMPTY_TEXT
            case _:
                return unescape_text(text)

    def _end_row(self) -> None:
        # Before it is written: each of its cells may have the same long text.
        if self._out.tell() + sum(map(len, self._line)) > MAX_TEXT:
            message = f"has more than {MAX_TEXT // 1_000_000} MB of text in a sheet: divide it"
            raise NotAWorkbook(message)
        self._out.write(line_of(self._line))
        self._filled += bool(self._line)
        if self._filled > self._most:
            raise _EnoughRows


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place
