"""A workbook of one sheet, as spreadsheet programs open it: no cell of it is computed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from automations.kit.workbooks.cells import days_of, escape_text

MAX_ROWS = 1_048_576
MAX_CELL = 32_767
"""UTF-16 units of a text."""

Cell = str | int | float | bool | date | datetime | None

_SPACE = "http://schemas.openxmlformats.org"
_MAIN = f"{_SPACE}/spreadsheetml/2006/main"
_REL = f"{_SPACE}/officeDocument/2006/relationships"
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_KINDS = "".join(
    f'<Override PartName="/xl/{name}.xml" ContentType="{_TYPE}.{kind}+xml"/>'
    for name, kind in (
        ("workbook", "sheet.main"),
        ("worksheets/sheet1", "worksheet"),
        ("styles", "styles"),
    )
)
_FONT = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_SPACE}/package/2006/content-types"><Default '
    'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f"{_KINDS}</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_SPACE}/package/2006/relationships"><Relationship '
    f'Id="rId1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_SPACE}/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" '
    'formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/>'
    f'</numFmts><fonts count="2"><font>{_FONT}</font><font><b/>{_FONT}</font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill '
    'patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs '
    'count="1"><xf/></cellStyleXfs><cellXfs count="4"><xf xfId="0"/><xf numFmtId="164" xfId="0" '
    'applyNumberFormat="1"/><xf numFmtId="165" xfId="0" applyNumberFormat="1"/><xf fontId="1" '
    'xfId="0" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" '
    'builtinId="0"/></cellStyles></styleSheet>',
}
_DATE, _WALL_TIME, _BOLD = 1, 2, 3
"""Styles by their places."""
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\[\]:*?/\\\ufffe\uffff]+")
_MAX_NAME = 31
_DIGITS_KEPT = 10**15


def write(file: IO[bytes], name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a workbook.

    Args:
        name: of the sheet, as far as one may be called so.

    Raises:
        ValueError: there is more than a sheet holds; says where.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as package:
        for part, text in _PARTS.items():
            package.writestr(part, _DECLARED + text)
        package.writestr(
            "xl/workbook.xml",
            f'{_DECLARED}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets><sheet '
            f'name={quoteattr(_sheet_name(name))} sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        with package.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for text in _sheet(head, rows):
                sheet.write(text.encode())


def _sheet(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    yield (
        f'{_DECLARED}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f'</sheetViews><cols><col min="1" max="{len(head)}" width="18" customWidth="1"/></cols>'
        "<sheetData>"
    )
    letters = [_letters(place) for place in range(len(head))]
    yield _row(1, letters, [_text(name, f' s="{_BOLD}"') for name in head])
    for number, row in enumerate(rows, 2):
        if number > MAX_ROWS:
            raise ValueError(f"has more rows than the {MAX_ROWS} that a sheet holds")
        try:
            yield _row(number, letters, [_cell(value) for value in row])
        except ValueError as error:
            raise ValueError(f"row {number} {error}") from error
    yield "</sheetData></worksheet>"


def _row(number: int, letters: Sequence[str], cells: Sequence[str]) -> str:
    placed = (
        f'<c r="{letter}{number}"{cell}</c>'
        for letter, cell in zip(letters, cells, strict=True)
        if cell
    )
    return f'<row r="{number}">{"".join(placed)}</row>'


def _letters(place: int) -> str:
    text = ""
    while place >= 0:
        place, rest = divmod(place, 26)
        text, place = chr(65 + rest) + text, place - 1
    return text


def _cell(value: Cell) -> str:
    """A cell behind its place; nothing for no value."""
    match value:
        case None:
            return ""
        case bool():
            return f' t="b"><v>{int(value)}</v>'
        case int() | float():
            # One of more digits would be shortened by whoever saves the file.
            is_kept = isinstance(value, float) or abs(value) < _DIGITS_KEPT
            return f"><v>{value!r}</v>" if is_kept else _text(str(value))
        case datetime():
            return _day(value, value, _WALL_TIME)
        case date():
            return _day(value, datetime.combine(value, datetime.min.time()), _DATE)
        case _:
            return _text(value)


def _day(value: date, wall_time: datetime, style: int) -> str:
    days = days_of(wall_time)
    return _text(value.isoformat()) if days is None else f' s="{style}"><v>{days!r}</v>'


def _text(text: str, style: str = "") -> str:
    if len(text) * 2 > MAX_CELL and len(text.encode("utf-16-le")) // 2 > MAX_CELL:
        raise ValueError(f"has a text of more than the {MAX_CELL} characters that a cell holds")
    escaped = escape(escape_text(text))
    return f' t="inlineStr"{style}><is><t xml:space="preserve">{escaped}</t></is>'


def _sheet_name(name: str) -> str:
    bare = _NOT_IN_NAMES.sub(" ", name).strip(" '")
    while len(bare.encode("utf-16-le")) // 2 > _MAX_NAME:
        bare = bare[:-1].rstrip(" '")
    return bare or "Sheet1"
