"""The page, header and footer of a DOCX, which pandoc drops, as a preamble for typst."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm

from automations.adapters.documents.styles import is_on

_A4 = (595.3, 841.9)
_MARGIN = 70.9
_LINE_HEIGHT = 14.0
_ALIGNMENTS = {WD_ALIGN_PARAGRAPH.CENTER: "center", WD_ALIGN_PARAGRAPH.RIGHT: "right"}
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_EMU_PER_POINT = 12_700
_TABLE = re.compile(r"^#figure\(\n  align\(center\)\[#table\(\n", re.MULTILINE)
_RULES = """\
#let horizontalrule = line(length: 100%, stroke: 0.5pt + luma(60%))
#set table(stroke: 0.5pt + luma(55%), inset: 5pt)
#show table: set align(start)
#show figure: set block(breakable: true)
// A table that is not aligned begins where the text begins.
#show figure.where(kind: table): set align(start)
// A caption says itself what it counts, and stands above its table.
#show figure.caption: it => it.body
#show figure.where(kind: table): set figure.caption(position: top)
#show heading: set block(above: 1.3em, below: 0.8em)
// A link inside the document may have lost its target, or have two of one name.
#show link: it => if type(it.dest) == label {
  let found = query(it.dest)
  if found.len() > 0 { link(found.first().location(), it.body) } else { it.body }
} else { it }
"""


def literal(text: str) -> str:
    """A text as the typesetter's string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f]", " ", escaped) + '"'


def set_a4(path: Path) -> None:
    """Give a document that says nothing of its page A4 with margins."""
    document = Document(str(path))
    for section in document.sections:
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2.5)
        section.top_margin = section.bottom_margin = Cm(2.5)
    document.save(str(path))


def source(path: Path, body: str) -> str:
    """The whole text for the typesetter: our preamble, and what pandoc made of the document."""
    document = Document(str(path))
    return "\n".join([_page(document), _text(document), _RULES, _tables(document, body)])


def _points(length: Any, otherwise: float) -> float:
    return otherwise if length is None else max(float(length.pt), 0.0)


def _page(document: Any) -> str:
    section = document.sections[0]
    header, header_height = _running(section, "header")
    footer, footer_height = _running(section, "footer")
    top = max(
        _points(section.top_margin, _MARGIN), _points(section.header_distance, 36) + header_height
    )
    bottom = max(
        _points(section.bottom_margin, _MARGIN),
        _points(section.footer_distance, 36) + footer_height,
    )
    return (
        f"#set page(width: {_points(section.page_width, _A4[0]):.1f}pt, "
        f"height: {_points(section.page_height, _A4[1]):.1f}pt, "
        f"margin: (top: {top:.1f}pt, bottom: {bottom:.1f}pt, "
        f"left: {_points(section.left_margin, _MARGIN) + _points(section.gutter, 0):.1f}pt, "
        f"right: {_points(section.right_margin, _MARGIN):.1f}pt),\n"
        f"  header: {header},\n  footer: {footer})"
    )


def _text(document: Any) -> str:
    normal = document.styles.default(WD_STYLE_TYPE.PARAGRAPH)
    size = _points(None if normal is None else normal.font.size, 11)
    written = [paragraph for paragraph in document.paragraphs if paragraph.text.strip()]
    justified = sum(
        (paragraph.alignment or paragraph.style.paragraph_format.alignment)
        == WD_ALIGN_PARAGRAPH.JUSTIFY
        for paragraph in written
    )
    languages = document.styles.element.xpath("./w:docDefaults//w:lang/@w:val")
    language = str(languages[0]).partition("-")[0] if languages else "en"
    if not _LANGUAGE.fullmatch(language):
        language = "en"
    return (
        f'#set text(font: "Libertinus Serif", size: {size:.1f}pt, lang: "{language}")\n'
        f"#set par(justify: {'true' if justified * 2 > len(written) else 'false'})"
    )


def _running(section: Any, kind: str) -> tuple[str, float]:
    """A header or footer, and the height it takes."""
    usual, height = _content(getattr(section, kind))
    if section.different_first_page_header_footer:
        first, first_height = _content(getattr(section, f"first_page_{kind}"))
        usual = f"context if here().page() == 1 {first} else {usual}"
        height = max(height, first_height)
    return usual, height


def _content(part: Any) -> tuple[str, float]:
    if part.is_linked_to_previous:
        return "{}", 0.0
    lines: list[str] = []
    height = 0.0
    for paragraph in part.paragraphs:
        pieces = list(_pieces(paragraph, part))
        alignment = _ALIGNMENTS.get(
            paragraph.alignment or paragraph.style.paragraph_format.alignment, "left"
        )
        lines.append(f"align({alignment}, {{ {'; '.join(pieces)} }})")
        height += _LINE_HEIGHT * (1 + pieces.count("linebreak()"))
        height += sum(_picture_height(extent) for extent in _extents(paragraph))
    if not any("{  }" not in line for line in lines):
        return "{}", 0.0
    return f"{{ set par(spacing: 0.5em); {'; '.join(lines)} }}", height


def _pieces(paragraph: Any, part: Any) -> Iterator[str]:
    """What a paragraph shows, a field by what it means and not by what it showed last."""
    field: str | None = None
    shown = True
    for element in paragraph._p.iter():
        if element.tag == qn("w:fldSimple"):
            yield from _field(element.get(qn("w:instr"), ""))
        elif element.tag == qn("w:fldChar"):
            kind = element.get(qn("w:fldCharType"))
            if kind == "begin":
                field, shown = "", False
            elif kind == "end" and field is not None:
                counted = list(_field(field))
                yield from counted
                field, shown = None, True
            elif kind == "separate":
                # What a field of another kind showed last is the best there is.
                shown = not list(_field(field or ""))
        elif element.tag == qn("w:instrText") and field is not None:
            field += element.text or ""
        elif shown and not _inside_simple_field(element):
            yield from _piece(element, part)


def _inside_simple_field(element: Any) -> bool:
    return any(
        list(_field(field.get(qn("w:instr"), "")))
        for field in element.iterancestors(qn("w:fldSimple"))
    )


def _field(instruction: str) -> Iterator[str]:
    match (instruction.split() or [""])[0].upper():
        case "PAGE":
            yield "context counter(page).display()"
        case "NUMPAGES" | "SECTIONPAGES":
            yield "context str(counter(page).final().first())"


def _piece(element: Any, part: Any) -> Iterator[str]:
    if element.tag == qn("w:t"):
        properties = element.getparent().find(qn("w:rPr"))
        weight = 'weight: "bold", ' if _has(properties, "w:b") else ""
        slant = 'style: "italic", ' if _has(properties, "w:i") else ""
        yield f"text({weight}{slant}{literal(element.text or '')})"
    elif element.tag == qn("w:tab") and element.getparent().tag == qn("w:r"):
        yield "h(1fr)"
    elif element.tag in (qn("w:br"), qn("w:cr")):
        yield "linebreak()"
    elif element.tag == qn("a:blip"):
        target = part.part.rels.get(element.get(qn("r:embed")))
        if target is not None and not target.is_external:
            name = literal(f"media/{str(target.target_part.partname).rpartition('/')[2]}")
            extents = list(_extents_of(element))
            width = (
                f", width: {int(extents[0].get('cx')) / _EMU_PER_POINT:.1f}pt" if extents else ""
            )
            yield f"box(image({name}{width}))"


def _has(properties: Any, name: str) -> bool:
    element = None if properties is None else properties.find(qn(name))
    return element is not None and is_on(element)


def _extents_of(blip: Any) -> Iterator[Any]:
    for holder in blip.iterancestors(qn("wp:inline"), qn("wp:anchor")):
        yield from holder.iterchildren(qn("wp:extent"))


def _extents(paragraph: Any) -> list[Any]:
    return list(paragraph._p.iter(qn("wp:extent")))


def _picture_height(extent: Any) -> float:
    return int(extent.get("cy", "0")) / _EMU_PER_POINT


def _tables(document: Any, body: str) -> str:
    """The body, with no rules in those of its tables that have none in the document."""
    places = list(_TABLE.finditer(body))
    tables = document.tables
    if not places or len(places) != len(tables):
        return body
    parts = [body[: places[0].start()]]
    ends = [place.start() for place in places[1:]] + [len(body)]
    for place, end, table in zip(places, ends, tables, strict=True):
        part = body[place.start() : end]
        if not _is_ruled(table):
            part = part.replace("[#table(\n", "[#table(\n    stroke: none,\n", 1)
            part = part.replace("    table.hline(),\n", "", 1)
        parts.append(part)
    return "".join(parts)


def _is_ruled(table: Any) -> bool:
    style = table.style
    while style is not None:
        if style.element.xpath(".//w:tblBorders | .//w:tcBorders"):
            return True
        style = style.base_style
    return bool(table._tbl.xpath(".//w:tblBorders | .//w:tcBorders"))
