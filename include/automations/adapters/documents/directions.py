"""Rewrites text directions of a DOCX so that LibreOffice (7.4 or later) follows them.

It reads past ``w:bdo`` and ``w:dir``, and draws what is in them as if they were not there; the
characters of Unicode that stand for them it follows. Of a row with text that runs upwards or
downwards it asks how high it is, and draws none of that text where it is not said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from automations.adapters.documents import plain

_BEGINNINGS = {
    (qn("w:bdo"), True): "\u202e",
    (qn("w:bdo"), False): "\u202d",
    (qn("w:dir"), True): "\u202b",
    (qn("w:dir"), False): "\u202a",
}
_END = "\u202c"
_UPRIGHT = ("lrTb", "lrTbV")
"""Text that runs as ever."""
_CHARACTER_HEIGHT = 160
"""The room of a letter, in twentieths of a point: a row is to be as high as its text is long."""
_MAX_ROW_HEIGHT = 9_000
"""That of a row: what is longer goes on in a line beside."""


def rewrite(document: Path, result: Path) -> Path:
    """The document to convert: a copy where text has a direction of its own, else the same."""
    package = Document(str(document))
    changed = False
    for part in package.part.package.parts:
        root = plain.root_of(part)
        if root is None:
            continue
        changes = [_mark(element) for element in root.iter(qn("w:bdo"), qn("w:dir"))]
        changes += [_set_row_height(row) for row in root.iter(qn("w:tr"))]
        if any(changes):
            plain.put(part, root)
            changed = True
    if not changed:
        return document
    package.save(str(result))
    return result


def _mark(element: Any) -> bool:
    texts = list(element.iter(qn("w:t")))
    if not texts:
        return False
    beginning = _BEGINNINGS[element.tag, element.get(qn("w:val")) == "rtl"]
    texts[0].text = beginning + (texts[0].text or "")
    texts[-1].text = (texts[-1].text or "") + _END
    return True


def _set_row_height(row: Any) -> bool:
    """Say how high a row is with text that runs upwards or downwards, unless it is said."""
    if row.find(f"{qn('w:trPr')}/{qn('w:trHeight')}") is not None:
        return False
    lengths = [
        sum(len(text.text or "") for text in paragraph.iter(qn("w:t")))
        for cell in row.iter(qn("w:tc"))
        if any(
            direction.get(qn("w:val")) not in _UPRIGHT
            for direction in cell.iter(qn("w:textDirection"))
        )
        for paragraph in cell.iter(qn("w:p"))
    ]
    if not any(lengths):
        return False
    height = OxmlElement("w:trHeight")
    height.set(qn("w:val"), str(min((max(lengths) + 2) * _CHARACTER_HEIGHT, _MAX_ROW_HEIGHT)))
    height.set(qn("w:hRule"), "atLeast")
    row.get_or_add_trPr().append(height)
    return True
