"""Writes the numbers of a DOCX's lists and headings that pandoc leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docx.oxml.ns import qn

from automations.adapters.documents.styles import Styles

_SIMPLE = re.compile(r"\(?%\d[.)]?")
_WRITTEN = frozenset({"decimal", "upperRoman", "lowerRoman", "upperLetter", "lowerLetter"})
"""The numerals that the small engine has; it would write others as decimal ones."""
_OTHER = "%"
"""What is before a paragraph in other numerals."""
_HEADING = re.compile(r"(heading|title)", re.IGNORECASE)


class Numbering:
    """Which numbering the paragraphs of a document have, by themselves or by their styles."""

    def __init__(self, document: Any, styles: Styles) -> None:
        self._document = document
        self._styles = styles
        # What is written before a paragraph, empty for a bullet.
        self._levels = dict(self._definitions())

    def losses(self) -> set[str]:
        """Names of what is lost."""
        losses = set()
        before: tuple[str, str] | None = None
        for paragraph in self._document.element.body.iter(qn("w:p")):
            before, above = None, before
            properties = paragraph.find(qn("w:pPr"))
            if properties is None:
                continue
            named = properties.find(qn("w:pStyle"))
            chain = list(self._styles.chain(None if named is None else named.get(qn("w:val"))))
            place = self._place(properties, chain)
            text = None if place is None else self._levels.get(place)
            if text is None:
                continue
            if text:
                before = place
            if before and above and before[1] == above[1] and before[0] != above[0]:
                # Two lists without anything between them would be counted on.
                losses.add("numbers of lists")
            if any(_HEADING.match(_title(style)) for style in chain):
                losses.add("numbers of headings")
            elif text and not _SIMPLE.fullmatch(text):
                losses.add("numbers of lists")
        return losses

    def _place(self, properties: Any, chain: list[Any]) -> tuple[str, str] | None:
        """The list that a paragraph is of, and its level; what it has before it is known of it."""
        for holder in (properties, *(style.find(qn("w:pPr")) for style in chain)):
            numbered = None if holder is None else holder.find(qn("w:numPr"))
            if numbered is None:
                continue
            number, level = (_value(numbered, name) for name in ("w:numId", "w:ilvl"))
            if number == "0":
                return None
            if number is not None:
                return number, level or "0"
        return None

    def _definitions(self) -> Iterator[tuple[tuple[str, str], str]]:
        for part in self._document.part.package.parts:
            if not part.content_type.endswith(".numbering+xml"):
                continue
            root = part._element
            abstract = {
                element.get(qn("w:abstractNumId")): element
                for element in root.iter(qn("w:abstractNum"))
            }
            for number in root.iter(qn("w:num")):
                definition = abstract.get(_value(number, "w:abstractNumId"))
                if definition is None:
                    continue
                for level in definition.iter(qn("w:lvl")):
                    form = _value(level, "w:numFmt") or "decimal"
                    written = _value(level, "w:lvlText") or ""
                    text = written if form in _WRITTEN else "" if form == "bullet" else _OTHER
                    yield (number.get(qn("w:numId"), ""), level.get(qn("w:ilvl"), "")), text


def _value(holder: Any, name: str) -> str | None:
    element = holder.find(qn(name))
    return None if element is None else str(element.get(qn("w:val")))


def _title(style: Any) -> str:
    return _value(style, "w:name") or ""
