"""Workbooks as programs write them: their parts, written by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def relations(*found: tuple[str, str, str]) -> str:
    """What a part leads to: id, kind, target."""
    lines = (f'<Relationship Id="{a}" Type="{_REL}/{b}" Target="{c}"/>' for a, b, c in found)
    return f'<Relationships xmlns="{_RELATIONS}">{"".join(lines)}</Relationships>'


def sheet(rows: str, space: str = MAIN) -> str:
    """A sheet of rows."""
    return f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'


def book(
    sheets: Mapping[str, str],
    *,
    texts: str = "",
    styles: str = "",
    states: Mapping[str, str] | None = None,
    properties: str = "",
    more: Mapping[str, str] | None = None,
) -> bytes:
    """A workbook.

    Args:
        sheets: the rows of each, by its name.
        texts: those that cells refer to.
        more: other parts, or in place of these.
    """
    named = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}" '
        f'state="{(states or {}).get(name, "visible")}"/>'
        for number, name in enumerate(sheets, 1)
    )
    leading = [
        (f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml")
        for number in range(1, len(sheets) + 1)
    ]
    parts = {
        "_rels/.rels": relations(("rId1", "officeDocument", "/xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{_REL}">{properties}'
        f"<sheets>{named}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            *leading, ("t", "sharedStrings", "sharedStrings.xml"), ("s", "styles", "styles.xml")
        ),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
        **{
            f"xl/worksheets/sheet{number}.xml": sheet(rows)
            for number, rows in enumerate(sheets.values(), 1)
        },
        **(more or {}),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(name, text)
    return packed.getvalue()
