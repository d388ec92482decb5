"""Directions of text, as the characters of Unicode that stand for them.

LibreOffice (7.4, at least) reads past ``w:bdo`` and ``w:dir``, and draws what is in them as if they
were not there; the characters it follows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml.ns import qn

from automations.adapters.documents import plain

_BEGINNINGS = {
    (qn("w:bdo"), True): "\u202e",
    (qn("w:bdo"), False): "\u202d",
    (qn("w:dir"), True): "\u202b",
    (qn("w:dir"), False): "\u202a",
}
_END = "\u202c"


def marked(document: Path, result: Path) -> Path:
    """The document to convert: a copy where text has a direction of its own, else the same."""
    package = Document(str(document))
    changed = False
    for part in package.part.package.parts:
        root = plain.root_of(part)
        if root is None:
            continue
        given = [_mark(element) for element in root.iter(qn("w:bdo"), qn("w:dir"))]
        if any(given):
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
