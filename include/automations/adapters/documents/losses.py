"""What pandoc and typst would not show of a DOCX, by name.

It has a look of its own for headings, lists, notes and the text around them; what is lost is what
the document says beside that, or what cannot be placed at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from lxml import etree

from automations.adapters.documents import pictures
from automations.adapters.documents.numbering import Numbering
from automations.adapters.documents.styles import Styles, is_on

_W = qn("w:p")[:-1]
_OWN_LOOK = re.compile(
    r"(normal|heading|title|subtitle|list|toc|header|footer|footnote|endnote|annotation|caption|"
    r"hyperlink|followedhyperlink|quote|intense|body text|no spacing|default paragraph|"
    r"table normal|table grid|table$|plain text|date|author|abstract|first paragraph|compact|"
    r"bibliography|block text|verbatim|source code|strong|emphasis|page number|book title|"
    r"subtle|placeholder text|unresolved)",
    re.IGNORECASE,
)
_PLACED = {
    "txbxContent": "text boxes",
    "ruby": "ruby",
    "bdo": "text directions",
    "dir": "text directions",
    "textDirection": "text directions",
    "rtl": "right-to-left text",
    "bidi": "right-to-left text",
    "bidiVisual": "right-to-left text",
    "wsp": "shapes",
    "wgp": "shapes",
    "wpc": "shapes",
    "relIds": "diagrams",
    "chart": "charts",
    "object": "embedded objects",
    "framePr": "frames",
    "tblpPr": "floating tables",
    "anchor": "floating pictures",
    "ptab": "tabs",
    "ins": "tracked changes",
    "del": "tracked changes",
    "moveFrom": "tracked changes",
    "moveTo": "tracked changes",
    "contentPart": "drawings by hand",
    "lnNumType": "line numbers",
    "pgBorders": "borders",
    # Those of older forms, which hold no text.
    "checkBox": "form fields",
    "ddList": "form fields",
    **dict.fromkeys(("dayShort", "monthShort", "yearShort"), "dates"),
    **dict.fromkeys(("dayLong", "monthLong", "yearLong"), "dates"),
    "pgNum": "page numbers in the text",
}
_DRAWN = re.compile(
    r"\s*(SYMBOL|EQ|ADVANCE|AUTONUM\w*|LISTNUM|BARCODE|\w+BARCODE|BIDIOUTLINE)\b", re.IGNORECASE
)
"""Fields that word processors draw by themselves, and keep nothing of."""
_SWITCHED = frozenset({"rtl", "bidi", "bidiVisual"})
_RUNNING = " in headers and footers"
_DATED = re.compile(r"\s*(DATE|TIME)\b", re.IGNORECASE)
_COUNTED = re.compile(r"\s*(PAGE|NUMPAGES|SECTIONPAGES|SECTION)\b", re.IGNORECASE)
_NUMERALS = re.compile(r"\bPAGE\b.*\\\*\s*(?!MERGEFORMAT|ARABIC)\w", re.IGNORECASE)
_SIGNS = frozenset({"Symbol", "Wingdings", "Wingdings 2", "Wingdings 3", "Webdings"})
"""Fonts of signs that pandoc knows."""
_OF_ANY_STYLE = frozenset({"jc", "caps", "pageBreakBefore", "bidi", "rtl"})
"""What the own look of headings and their like does not follow either."""
_ALIGNED = frozenset({"center", "right", "end", "distribute"})
_IN_RUNNING_RUNS = frozenset(
    {"rPr", "t", "tab", "br", "cr", "drawing", "pict", "fldChar", "instrText", "AlternateContent",
     "lastRenderedPageBreak", "object", "ptab"}
)  # fmt: skip


def find(path: Path) -> list[str]:
    """Names of what is lost, in alphabetical order; none when everything is shown."""
    document = Document(str(path))
    return sorted(_Losses(document).found)


class _Losses:
    def __init__(self, document: Any) -> None:
        self.found: set[str] = set()
        self._styles = Styles(document.styles.element)
        self._size = _normal_size(document)
        self._numbering = Numbering(document, self._styles)
        body = document.element.body
        self._look(document.part.element, running=False)
        for part in document.part.package.parts:
            if part.content_type.endswith((".footnotes+xml", ".endnotes+xml")):
                self._look(_root(part), running=False)
        sections = list(body.iter(qn("w:sectPr")))
        self._sections(document, sections)
        self.found |= self._numbering.losses()
        self.found |= pictures.losses(document)

    def _sections(self, document: Any, sections: list[Any]) -> None:
        uneven = document.settings.element.find(qn("w:evenAndOddHeaders"))
        for number, section in enumerate(sections):
            references = [*section.iter(qn("w:headerReference"), qn("w:footerReference"))]
            if number:
                self._later_section(sections[0], section, references)
                continue
            if uneven is not None and is_on(uneven) and _of_kind(references, "even"):
                self.found.add("headers and footers of even pages")
            for reference in references:
                part = document.part.related_parts[reference.get(qn("r:id"))]
                self._running(_root(part))
        for section in sections:
            columns = section.find(qn("w:cols"))
            if columns is not None and columns.get(qn("w:num"), "1") not in ("0", "1"):
                self.found.add("columns")
            numbers = section.find(qn("w:pgNumType"))
            if numbers is not None and numbers.attrib:
                self.found.add("page numbering")
        if document.element.find(qn("w:background")) is not None:
            self.found.add("page background")

    def _later_section(self, first: Any, section: Any, references: list[Any]) -> None:
        if references or _has_first_page(first) != _has_first_page(section):
            self.found.add("headers and footers of later sections")
        kind = section.find(qn("w:type"))
        if kind is None or kind.get(qn("w:val")) != "continuous":
            self.found.add("page breaks")
        for name in ("w:pgSz", "w:pgMar"):
            sides = (_measures(first, name), _measures(section, name))
            if sides[0] != sides[1]:
                self.found.add("pages of later sections")

    def _running(self, root: Any) -> None:
        """A header or footer: paragraphs of text, bold or slanted, and pictures in a line."""
        for element in root:
            name = _name(element)
            if name == "tbl":
                self.found.add("tables" + _RUNNING)
            elif name == "sdt":
                self.found.add("content controls" + _RUNNING)
        for run in root.iter(qn("w:r")):
            if any(_name(child) not in _IN_RUNNING_RUNS for child in run):
                self.found.add("special characters" + _RUNNING)
            properties = run.find(qn("w:rPr"))
            if properties is not None and any(
                properties.find(qn(f"w:{name}")) is not None
                for name in ("u", "strike", "dstrike", "vertAlign", "smallCaps")
            ):
                self.found.add("formatting" + _RUNNING)
        if root.find(f".//{qn('w:numPr')}") is not None:
            self.found.add("lists" + _RUNNING)
        if next(root.iter(qn("m:oMath")), None) is not None:
            self.found.add("formulas" + _RUNNING)
        if next(root.iter(qn("w:pict")), None) is not None:
            self.found.add("shapes")
        if any(_NUMERALS.search(instruction) for instruction in _instructions(root)):
            self.found.add("page numbering")
        self._look(root, running=True)

    def _fields(self, root: Any, *, running: bool) -> None:
        codes = list(_instructions(root))
        if not running and any(map(_COUNTED.match, codes)):
            self.found.add("page numbers in the text")
        if any(map(_DATED.match, codes)):
            self.found.add("dates")
        if any(map(_DRAWN.match, codes)):
            self.found.add("fields that are drawn")

    def _look(self, root: Any, *, running: bool) -> None:
        self._fields(root, running=running)
        used: set[str] = set()
        for element in root.iter(etree.Element):
            name = _name(element)
            if name in _PLACED and not (name in _SWITCHED and not is_on(element)):
                self.found.add(_PLACED[name])
            elif name == "pict":
                if next(element.iter("{*}imagedata"), None) is None:
                    self.found.add("shapes")
            elif name == "srcRect":
                if any(value.strip("0%") for value in element.attrib.values()):
                    self.found.add("cropped pictures")
            elif pictures.is_changed(element):
                self.found.add("effects on pictures")
            elif name in ("pStyle", "rStyle", "tblStyle"):
                used.add(element.get(qn("w:val"), ""))
            else:
                self._formatting(element, running=running)
        for style_id in used:
            self._style(style_id, running=running)

    def _style(self, style_id: str, *, running: bool) -> None:
        for style in self._styles.chain(style_id):
            title = style.find(qn("w:name"))
            is_own = title is not None and _OWN_LOOK.match(title.get(qn("w:val"), ""))
            for element in style.iter(etree.Element):
                if is_own and _name(element) not in _OF_ANY_STYLE:
                    continue
                if _name(element) in _PLACED:
                    self.found.add(_PLACED[_name(element)])
                self._formatting(element, running=running)

    def _formatting(self, element: Any, *, running: bool) -> None:
        if not str(element.tag).startswith(_W):
            return
        parent = element.getparent()
        about_mark = (
            parent is not None
            and parent.tag == qn("w:rPr")
            and parent.getparent() is not None
            and parent.getparent().tag == qn("w:pPr")
        )
        judge = _FORMATTING.get(_name(element))
        if judge is None or about_mark:
            return
        lost = judge(element)
        if lost == "alignment" and running and parent.tag == qn("w:pPr"):
            return
        if lost == "tabs" and running:
            return
        if lost == "font sizes" and element.get(qn("w:val")) == self._size:
            return
        if lost is not None:
            self.found.add(lost)


def _shading(element: Any) -> str | None:
    fill, pattern = element.get(qn("w:fill"), "auto"), element.get(qn("w:val"), "clear")
    plain = fill.lower() in ("auto", "ffffff") and pattern in ("clear", "nil")
    return None if plain else "shading"


def _borders(element: Any) -> str | None:
    drawn = [side for side in element if side.get(qn("w:val")) not in ("nil", "none", None)]
    own = element.tag == qn("w:bdr") and element.get(qn("w:val")) not in ("nil", "none", None)
    return "borders" if drawn or own else None


def _colour(element: Any) -> str | None:
    plain = element.get(qn("w:val"), "auto").lower() in ("auto", "000000")
    return None if plain else "colours"


def _alignment(element: Any) -> str | None:
    return "alignment" if element.get(qn("w:val")) in _ALIGNED else None


def _vertical(element: Any) -> str | None:
    inside = element.getparent().tag in (qn("w:tcPr"), qn("w:sectPr"))
    return "alignment" if inside and element.get(qn("w:val")) not in ("top", None) else None


def _indent(element: Any) -> str | None:
    if element.getparent().find(qn("w:numPr")) is not None:
        return None
    return "indents" if any(value not in ("0", "") for value in element.attrib.values()) else None


def _break(element: Any) -> str | None:
    return "page breaks" if element.get(qn("w:type")) in ("page", "column") else None


def _switch(name: str) -> Callable[[Any], str | None]:
    return lambda element: name if is_on(element) else None


def _sign(element: Any) -> str | None:
    return None if element.get(qn("w:font")) in _SIGNS else "symbols"


_LINES = ("none", "single", "words", "")


def _value(element: Any) -> str:
    return str(element.get(qn("w:val"), ""))


def _note_marks(element: Any) -> str | None:
    is_own = element.get(qn("w:customMarkFollows"), "0") not in ("0", "false", "off")
    return "marks of notes" if is_own else None


def _note_numbers(element: Any) -> str | None:
    plain = {"numFmt": "decimal", "numStart": "1", "numRestart": "continuous"}
    own = any(_value(child) != plain[_name(child)] for child in element if _name(child) in plain)
    return "marks of notes" if own else None


def _text_effect(element: Any) -> str | None:
    return None if _value(element) in ("none", "0", "100") else "formatting"


def _spacing(element: Any) -> str | None:
    of_letters = element.getparent().tag == qn("w:rPr") and _value(element) not in ("0", "")
    return "formatting" if of_letters else None


def _tab(element: Any) -> str | None:
    return "tabs" if element.getparent().tag == qn("w:r") else None


_FORMATTING: Mapping[str, Callable[[Any], str | None]] = {
    "shd": _shading,
    "highlight": lambda element: "highlighting",
    "pBdr": _borders,
    "bdr": _borders,
    "tcBorders": _borders,
    "color": _colour,
    "sz": lambda element: "font sizes",
    "caps": _switch("capitals"),
    "pageBreakBefore": _switch("page breaks"),
    "br": _break,
    "jc": _alignment,
    "vAlign": _vertical,
    "ind": _indent,
    "sym": _sign,
    "footnoteReference": _note_marks,
    "endnoteReference": _note_marks,
    "footnotePr": _note_numbers,
    "endnotePr": _note_numbers,
    **dict.fromkeys(
        ("gridBefore", "gridAfter"),
        lambda element: "cells out of line" if _value(element) != "0" else None,
    ),
    "u": lambda element: None if _value(element) in _LINES else "formatting",
    **dict.fromkeys(("dstrike", "emboss", "imprint", "outline", "shadow"), _switch("formatting")),
    **dict.fromkeys(("em", "effect", "fitText", "eastAsianLayout", "position", "w"), _text_effect),
    "spacing": _spacing,
    "tab": _tab,
}


def _instructions(root: Any) -> Iterator[str]:
    for field in root.iter(qn("w:fldSimple")):
        yield field.get(qn("w:instr"), "")
    for paragraph in root.iter(qn("w:p")):
        # One instruction may be cut into several runs.
        pieces = [element.text or "" for element in paragraph.iter(qn("w:instrText"))]
        yield from (piece for piece in pieces if piece.strip())
        yield "".join(pieces)


def _root(part: Any) -> Any:
    return part._element if hasattr(part, "_element") else parse_xml(part.blob)


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _of_kind(references: list[Any], kind: str) -> bool:
    return any(reference.get(qn("w:type")) == kind for reference in references)


def _has_first_page(section: Any) -> bool:
    switch = section.find(qn("w:titlePg"))
    return switch is not None and is_on(switch)


def _measures(section: Any, name: str) -> Mapping[str, str]:
    measure = section.find(qn(name))
    return {} if measure is None else {key: value for key, value in measure.items() if value != "0"}


def _normal_size(document: Any) -> str:
    normal = document.styles.default(WD_STYLE_TYPE.PARAGRAPH)
    size = None if normal is None else normal.font.size
    return str(int((size.pt if size is not None else 11) * 2))
