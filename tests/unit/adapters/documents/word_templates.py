"""Word templates of every kind, as its library documents them, and letterheads."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Cm, Pt, RGBColor

W = nsdecls("w")
LETTER = (612, 792)
A4 = (595, 842)
A5 = (420, 595)

Build = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Example:
    """A template, its data, and what the document is to be.

    Args:
        shown: what a reader reads beside the text that is found in the document itself.
        hidden: what nobody may read.
        loses: what the small engine names, of it.
        sizes: of the pages in points.
        own_page: whether LibreOffice gives the notes at its end a page of their own.
    """

    build: Build
    data: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = (LETTER,)
    own_page: bool = False


def docx(example: Example) -> bytes:
    """The template's file."""
    document = Document()
    example.build(document)
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def xml(text: str) -> Any:
    """An element of the main namespaces."""
    first, rest = text.split(">", 1) if "/>" not in text.split(">", 1)[0] + ">" else (text[:-2], "")
    spaces = (
        f"{nsdecls('w', 'r', 'wp', 'a', 'pic', 'm')} "
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
        'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    )
    return parse_xml(f"{first} {spaces}>{rest}" if rest else f"{first} {spaces}/>")


def body(document: Any, *texts: str) -> None:
    """Elements at the end of the body."""
    for text in texts:
        document.element.body.insert(len(document.element.body) - 1, xml(text))


def r(text: str, properties: str = "") -> str:
    """A run."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(*runs: str, properties: str = "") -> str:
    """A paragraph."""
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def cell(*inside: str, properties: str = "") -> str:
    """A table's cell."""
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{''.join(inside)}</w:tc>"


def table(*rows: tuple[str, ...], columns: int = 3) -> str:
    """A table with rules."""
    sides = "".join(
        f'<w:{side} w:val="single" w:sz="4"/>'
        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    grid = '<w:gridCol w:w="2400"/>' * columns
    lines = "".join(f"<w:tr>{''.join(cells)}</w:tr>" for cells in rows)
    return (
        f"<w:tbl><w:tblPr><w:tblBorders>{sides}</w:tblBorders></w:tblPr>"
        f"<w:tblGrid>{grid}</w:tblGrid>{lines}</w:tbl>"
    )


def row(*texts: str) -> tuple[str, ...]:
    """Cells with a paragraph each."""
    return tuple(cell(p(r(text))) for text in texts)


def complex_field(instruction: str, shown: str) -> str:
    """A field in five runs."""
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        f"{mark.format('begin')}<w:r><w:instrText>{instruction}</w:instrText></w:r>"
        f"{mark.format('separate')}{shown}{mark.format('end')}"
    )


def paragraphs(*texts: str) -> Build:
    """A document of paragraphs."""

    def build(document: Any) -> None:
        for text in texts:
            document.add_paragraph(text)

    return build


def elements(*texts: str) -> Build:
    """A document of elements."""
    return lambda document: body(document, *texts)


def png(colour: tuple[int, int, int] = (200, 30, 30), side: int = 24) -> bytes:
    """A square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    rows = (b"\0" + bytes(colour) * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def bmp(side: int = 24) -> bytes:
    """A green square."""
    rows = bytes((30, 200, 30)) * side * side
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def tiff(side: int = 24) -> bytes:
    """A blue square."""
    rows = bytes((30, 30, 200)) * side * side
    entries = [
        (256, 3, 1, side), (257, 3, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, side), (279, 4, 1, len(rows)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", *entry) for entry in entries
    )
    return struct.pack("<2sHI", b"II", 42, 8 + len(rows)) + rows + directory + b"\0\0\0\0"


def with_part(document: Any, name: str, kind: str, relation: str, content: str) -> str:
    """A part more; gives the relationship's id."""
    part = Part(PackURI(name), kind, content.encode(), document.part.package)
    return str(document.part.relate_to(part, relation))


def note_part(document: Any, kind: str, text: str) -> None:
    note = f'<w:{kind} w:id="{{}}"{{}}><w:p><w:r>{{}}</w:r></w:p></w:{kind}>'
    content = "".join(
        (
            note.format("-1", ' w:type="separator"', "<w:separator/>"),
            note.format("0", ' w:type="continuationSeparator"', "<w:continuationSeparator/>"),
            note.format("1", "", f"<w:{kind}Ref/><w:t>{text}</w:t>"),
        )
    )
    with_part(
        document,
        f"/word/{kind}s.xml",
        f"application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}s+xml",
        f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}s",
        f"<w:{kind}s {W}>{content}</w:{kind}s>",
    )


def notes(kind: str) -> Build:
    def build(document: Any) -> None:
        note_part(document, kind, "The {{ note }} below")
        mark = f'<w:r><w:{kind}Reference w:id="1"/></w:r>'
        body(document, p(r("See {{ name }}"), mark, r(" there.")))

    return build


def text_box(text: str, older: str = "width:170pt;height:50pt") -> str:
    """A box as Word writes it, twice: as a shape, and for older programs."""
    inside = f"<w:txbxContent>{p(r(text))}</w:txbxContent>"
    graphic = "http://schemas.microsoft.com/office/word/2010/wordprocessingShape"
    return (
        '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:anchor distT="0" '
        'distB="0" distL="0" distR="0" simplePos="0" relativeHeight="2" behindDoc="0" locked="0" '
        'layoutInCell="1" allowOverlap="1"><wp:simplePos x="0" y="0"/>'
        '<wp:positionH relativeFrom="page"><wp:posOffset>4200000</wp:posOffset></wp:positionH>'
        '<wp:positionV relativeFrom="page"><wp:posOffset>500000</wp:posOffset></wp:positionV>'
        '<wp:extent cx="2200000" cy="700000"/><wp:wrapNone/><wp:docPr id="7" name="Box"/>'
        f'<a:graphic><a:graphicData uri="{graphic}"><wps:wsp><wps:cNvSpPr txBox="1"/><wps:spPr>'
        '<a:xfrm><a:off x="0" y="0"/><a:ext cx="2200000" cy="700000"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></wps:spPr>'
        f"<wps:txbx>{inside}</wps:txbx><wps:bodyPr/></wps:wsp></a:graphicData></a:graphic>"
        "</wp:anchor></w:drawing></mc:Choice><mc:Fallback><w:pict>"
        f'<v:shape style="{older}" stroked="f"><v:textbox>{inside}</v:textbox></v:shape>'
        "</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )


def in_header(*texts: str, footer: tuple[str, ...] = ()) -> Build:
    """A letter with such a header."""

    def build(document: Any) -> None:
        section = document.sections[0]
        for part, given in ((section.header, texts), (section.footer, footer)):
            root = part._element
            for text in given:
                root.insert(len(root) - 1, xml(text))
        document.add_paragraph("Dear {{ name }},")
        document.add_paragraph("the letter follows.")

    return build


def control(*inside: str) -> str:
    return (
        '<w:sdt><w:sdtPr><w:alias w:val="Control"/></w:sdtPr>'
        f"<w:sdtContent>{''.join(inside)}</w:sdtContent></w:sdt>"
    )


def first_page(document: Any) -> None:
    section = document.sections[0]
    section.different_first_page_header_footer = True
    section.first_page_header.paragraphs[0].text = "First of {{ firm }}"
    section.header.paragraphs[0].text = "Later of {{ firm }}"
    section.footer.paragraphs[0].text = "Foot {{ firm }}"
    document.add_paragraph("One").add_run().add_break()
    document.add_paragraph("Two").paragraph_format.page_break_before = True


def even_pages(document: Any) -> None:
    document.settings.odd_and_even_pages_header_footer = True
    section = document.sections[0]
    section.header.paragraphs[0].text = "Odd {{ firm }}"
    section.even_page_header.paragraphs[0].text = "Even {{ firm }}"
    document.add_paragraph("One")
    document.add_paragraph("Two").paragraph_format.page_break_before = True


def sections(document: Any) -> None:
    document.sections[0].header.paragraphs[0].text = "Upright {{ firm }}"
    document.add_paragraph("One {{ name }}")
    second = document.add_section(WD_SECTION.NEW_PAGE)
    second.orientation = WD_ORIENT.LANDSCAPE
    second.page_width, second.page_height = second.page_height, second.page_width
    second.header.is_linked_to_previous = False
    second.header.paragraphs[0].text = "Lying {{ firm }}"
    document.add_paragraph("Two {{ name }}")


def page_numbers(document: Any) -> None:
    section = document.sections[0]
    section.header.paragraphs[0].text = "{{ firm }}\tHead"
    foot = section.footer.paragraphs[0]
    foot.add_run("Page ")
    simple = xml('<w:fldSimple w:instr="NUMPAGES"><w:r><w:t>77</w:t></w:r></w:fldSimple>')
    for element in xml(p(complex_field(" PAGE ", r("88")), r(" of ")))[1:]:
        foot._p.append(element)
    foot._p.append(simple)
    document.add_paragraph("Dear {{ name }}")


def pictures(document: Any) -> None:
    for content in (png(), bmp(), tiff()):
        document.add_paragraph().add_run("{{ name }}").add_picture(io.BytesIO(content), Cm(2))


def named_pictures(document: Any) -> None:
    for number, name in enumerate(("my logo", "Zażółć gęślą", "50%25 & more")):
        document.add_picture(io.BytesIO(png((0, 90, 40 * number))), Cm(2))
        list(document.part.related_parts.values())[-1].partname = PackURI(f"/word/media/{name}.png")
    document.add_paragraph("{{ name }}")


def floating_picture(document: Any) -> None:
    run = document.sections[0].header.paragraphs[0].add_run()
    inline = run.add_picture(io.BytesIO(png()), Cm(3))._inline
    anchor = xml(
        '<wp:anchor distT="0" distB="0" distL="0" distR="0" simplePos="0" relativeHeight="3" '
        'behindDoc="1" locked="0" layoutInCell="1" allowOverlap="1"><wp:simplePos x="0" y="0"/>'
        '<wp:positionH relativeFrom="page"><wp:posOffset>5500000</wp:posOffset></wp:positionH>'
        '<wp:positionV relativeFrom="page"><wp:posOffset>300000</wp:posOffset></wp:positionV>'
        "</wp:anchor>"
    )
    for child in list(inline):
        if child.tag == qn("wp:docPr"):
            anchor.append(xml("<wp:wrapNone/>"))
        anchor.append(child)
    inline.getparent().replace(inline, anchor)
    document.add_paragraph("Dear {{ name }}")


def links(document: Any) -> None:
    for target in ("{{ url }}", "https://a.example/?q={{ name }}", "mailto:{{ mail }}"):
        relation = document.part.relate_to(target, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        body(document, p(f'<w:hyperlink r:id="{relation}">{r("Go to {{ name }}")}</w:hyperlink>'))
    field = complex_field("HYPERLINK &quot;{{ url }}&quot;", r("by a field"))
    body(document, p(field))


def contents(document: Any) -> None:
    entry = (
        '<w:hyperlink w:anchor="_Toc{0}"><w:r><w:t>{1}</w:t></w:r><w:r><w:tab/></w:r>'
        + complex_field("PAGEREF _Toc{0} \\h", r("{0}"))
        + "</w:hyperlink>"
    )
    toc = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    begin = (
        f"{toc.format('begin')}<w:r><w:instrText> TOC \\o &quot;1-3&quot; \\h </w:instrText></w:r>"
        f"{toc.format('separate')}"
    )
    body(
        document,
        p(begin, entry.format(1, "Chapter {{ name }}")),
        p(entry.format(2, "A chapter that is left out")),
        p(toc.format("end")),
    )
    marks = '<w:bookmarkStart w:id="{0}" w:name="_Toc{0}"/>{1}<w:bookmarkEnd w:id="{0}"/>'
    style = '<w:pStyle w:val="Heading1"/>'
    body(
        document,
        p(marks.format(1, r("Chapter {{ name }}")), properties=style),
        p(r("{%p if False %}")),
        p(marks.format(2, r("A chapter")), properties=style),
        p(r("{%p endif %}")),
        p(f'<w:hyperlink w:anchor="_top">{r("To the top")}</w:hyperlink>'),
    )


def numbered(document: Any) -> None:
    levels = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for level, text in enumerate(("§ %1", "%1.%2"))
    )
    root = document.part.numbering_part._element
    root.insert(0, xml(f'<w:abstractNum w:abstractNumId="90">{levels}</w:abstractNum>'))
    root.append(xml('<w:num w:numId="90"><w:abstractNumId w:val="90"/></w:num>'))
    number = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="90"/></w:numPr>'
    body(
        document,
        p(r("First {{ name }}"), properties=number.format(0)),
        p(r("Deeper"), properties=number.format(1)),
        p(r("Second"), properties=number.format(0)),
    )


def dressed(document: Any) -> None:
    paragraph = document.add_paragraph()
    paragraph.alignment = 1
    run = paragraph.add_run("Large {{ name }}")
    run.font.size, run.font.color.rgb = Pt(30), RGBColor(0, 100, 200)
    body(
        document,
        p(r("framed"), properties='<w:pBdr><w:top w:val="single" w:sz="8"/></w:pBdr>'),
        p(r("shaded", '<w:shd w:val="clear" w:fill="FFFF00"/><w:highlight w:val="red"/>')),
        p(r("shouted", "<w:caps/>")),
    )


def small_page(document: Any) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(14.8), Cm(21)
    document.add_paragraph("One {{ name }}")
    document.add_page_break()
    document.add_paragraph("Two {{ name }}")


def columns(document: Any) -> None:
    document.sections[0]._sectPr.find(qn("w:cols")).set(qn("w:num"), "2")
    for number in range(6):
        document.add_paragraph(f"Column text {number} {{{{ name }}}}")


def hidden(document: Any) -> None:
    style = document.styles.add_style("Secret", 2)
    style.element.append(xml("<w:rPr><w:vanish/></w:rPr>"))
    hide = "<w:vanish/>"
    body(
        document,
        p(
            r("Shown {{ name }} "),
            r("hiddendirect ", hide),
            r("hiddenstyle ", '<w:rStyle w:val="Secret"/>'),
        ),
        p(r("hiddenline {{ secret }}", hide), properties=f"<w:rPr>{hide}</w:rPr>"),
        p(r("kept", '<w:rStyle w:val="Secret"/><w:vanish w:val="0"/>')),
    )


def tabbed(document: Any) -> None:
    stops = '<w:tabs><w:tab w:val="right" w:leader="dot" w:pos="8000"/></w:tabs>'
    line = "<w:r><w:tab/></w:r>"
    body(document, p(r("{%p for x in items %}")))
    body(document, p(r("{{ x.title }}"), line, r("{{ x.price }}"), properties=stops))
    body(document, p(r("{%p endfor %}")))


def framed_address(document: Any) -> None:
    frame = (
        '<w:framePr w:w="4500" w:h="1400" w:hRule="exact" w:x="1100" w:y="2600" '
        'w:hAnchor="page" w:vAnchor="page"/>'
    )
    body(document, p(r("{{ name }}"), properties=frame), p(r("Dear {{ name }},")))


def invoice(document: Any) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.header._element.insert(0, xml(table(row("{{ firm }}", "Tel. {{ phone }}"), columns=2)))
    document.add_heading("Invoice {{ number }}", 1)
    body(
        document,
        table(
            row("Title", "Count", "Price"),
            row("{%tr for x in items %}", "", ""),
            row("{{ x.title }}", "{{ x.count }}", "{{ x.price }}"),
            row("{%tr endfor %}", "", ""),
            row("Total", "", "{{ items|sum(attribute='price') }}"),
        ),
    )


def chart(document: Any) -> None:
    space = "http://schemas.openxmlformats.org/drawingml/2006/chart"
    a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    title = "<a:p><a:r><a:t>Sales of {{</a:t></a:r><a:r><a:t> name }}</a:t></a:r></a:p>"
    content = (
        f'<c:chartSpace xmlns:c="{space}" {a}><c:chart><c:title><c:tx><c:rich><a:bodyPr/>{title}'
        '</c:rich></c:tx></c:title><c:plotArea><c:layout/><c:barChart><c:barDir val="col"/><c:ser>'
        '<c:idx val="0"/><c:order val="0"/><c:val><c:numLit><c:ptCount val="2"/><c:pt idx="0">'
        '<c:v>3</c:v></c:pt><c:pt idx="1"><c:v>5</c:v></c:pt></c:numLit></c:val></c:ser>'
        '<c:axId val="1"/><c:axId val="2"/></c:barChart><c:catAx><c:axId val="1"/><c:crossAx '
        'val="2"/></c:catAx><c:valAx><c:axId val="2"/><c:crossAx val="1"/></c:valAx></c:plotArea>'
        "</c:chart></c:chartSpace>"
    )
    relation = with_part(
        document,
        "/word/charts/chart1.xml",
        "application/vnd.openxmlformats-officedocument.drawingml.chart+xml",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/chart",
        content,
    )
    body(
        document,
        p(
            '<w:r><w:drawing><wp:inline><wp:extent cx="4000000" cy="2500000"/><wp:docPr id="9" '
            f'name="Chart"/><a:graphic><a:graphicData uri="{space}"><c:chart xmlns:c="{space}" '
            f'r:id="{relation}"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>'
        ),
    )


ITEMS = [
    {"title": "Paper", "count": 2, "price": 30},
    {"title": "Ink", "count": 1, "price": 12},
]
NAMED = {"name": "Ada", "firm": "Lovelace Ltd", "phone": "555-1", "number": "2026-7"}
GRID = {"rows": [["a1", "b1"], ["a2", "b2"]], "heads": ["A", "B"]}

TEMPLATES: Mapping[str, Example] = {
    "letter": Example(paragraphs("Dear {{ name }},", "{{ text }}"), {**NAMED, "text": "Bye."}),
    "loop of rows": Example(
        elements(
            table(
                row("{%tr for x in items %}", "", ""),
                row("{{ x.title }}", "{{ x.count }}", "{{ x.price }}"),
                row("{%tr endfor %}", "", ""),
            )
        ),
        {"items": ITEMS},
        shown=("Paper", "Ink", "30"),
    ),
    "loop of columns": Example(
        elements(
            table(
                (*row("Heads"), *row("{%tc for x in heads %}", "{{ x }}", "{%tc endfor %}")),
            )
        ),
        GRID,
        shown=("Heads", "A", "B"),
    ),
    "rows and columns": Example(
        elements(
            table(
                row("{%tr for line in rows %}", "", ""),
                (*row("{%tc for x in line %}", "{{ x }}", "{%tc endfor %}"),),
                row("{%tr endfor %}", "", ""),
                columns=2,
            )
        ),
        GRID,
        shown=("a1", "b1", "a2", "b2"),
    ),
    "cells merged across": Example(
        elements(
            table(
                (
                    *row("{%tc for x in heads %}"),
                    cell(p(r("Across{% hm %}"))),
                    *row("{%tc endfor %}"),
                ),
                row("a", "b"),
                columns=2,
            )
        ),
        GRID,
        shown=("Across",),
    ),
    "cells merged down": Example(
        elements(
            table(
                row("{%tr for x in items %}", ""),
                (cell(p(r("Down{% vm %}"))), *row("{{ x.title }}")),
                row("{%tr endfor %}", ""),
                columns=2,
            )
        ),
        {"items": ITEMS},
        shown=("Down", "Ink"),
    ),
    "width and colour of cells": Example(
        elements(
            table(
                (cell(p(r("{% colspan n %}Wide")), properties='<w:tcW w:w="1" w:type="dxa"/>'),),
                (
                    cell(
                        p(r("{% cellbg colour %}Red")), properties='<w:tcW w:w="1" w:type="dxa"/>'
                    ),
                    *row("plain"),
                ),
                columns=2,
            )
        ),
        {"n": 2, "colour": "FF0000"},
        shown=("Wide", "Red"),
        loses=("shading",),
    ),
    "rich text of plain data": Example(
        elements(
            p(r("Before {{r name }} after")),
            p(r("{{r"), r(" firm", "<w:b/>"), r("}}")),
            p(r("{{p name }}")),
            table((cell(p(r("{{tc name }}"))), *row("{{tr firm }}")), columns=2),
        ),
        NAMED,
        shown=("Before Ada after", "Lovelace Ltd", "Ada"),
    ),
    "conditions of paragraphs": Example(
        paragraphs("{%p if yes %}", "Kept {{ name }}", "{%p else %}", "dropped", "{%p endif %}"),
        {**NAMED, "yes": True},
        shown=("Kept Ada",),
        hidden=("dropped",),
    ),
    "conditions of runs": Example(
        elements(p(r("a "), r("{%r if yes %}"), r("kept"), r("{%r endif %}"), r(" b"))),
        {"yes": True},
        shown=("a kept b",),
    ),
    "loop in a line, with comments": Example(
        paragraphs(
            "{# why #}{% for x in items %}{{ x.title }}"
            "{% if not loop.last %}, {% endif %}{% endfor %}."
        ),
        {"items": ITEMS},
        shown=("Paper, Ink.",),
        hidden=("why",),
    ),
    "lines and tabs in data": Example(
        paragraphs("{{ text }}"), {"text": "one\ntwo\tthree"}, shown=("one", "two"), loses=("tabs",)
    ),
    "placeholders in pieces": Example(
        elements(p(r("{"), r("{ na", "<w:b/>"), r("me "), r("}"), r("}"))), NAMED, shown=("Ada",)
    ),
    "macros and filters": Example(
        paragraphs(
            "{% macro money(x) %}{{ '%.2f'|format(x) }} EUR{% endmacro %}{{ money(12) }}",
            "{{ name|upper }} {{ items|map(attribute='title')|join(' + ') }}",
        ),
        {**NAMED, "items": ITEMS},
        shown=("12.00 EUR", "ADA Paper + Ink"),
    ),
    "headers, footers and page numbers": Example(
        page_numbers, NAMED, shown=("Page 1 of 1", "Lovelace"), hidden=("77", "88")
    ),
    "another first page": Example(
        first_page,
        NAMED,
        shown=("First of", "Later of"),
        loses=("page breaks",),
        sizes=(LETTER,) * 2,
    ),
    "even and odd pages": Example(
        even_pages,
        NAMED,
        shown=("Odd Lovelace", "Even Lovelace"),
        loses=("headers and footers of even pages", "page breaks"),
        sizes=(LETTER, LETTER),
    ),
    "sections with headers of their own": Example(
        sections,
        NAMED,
        shown=("Upright", "Lying"),
        loses=("headers and footers of later sections", "page breaks", "pages of later sections"),
        sizes=(LETTER, (792, 612)),
    ),
    "pictures": Example(
        pictures, NAMED, loses=("pictures of the kind bmp", "pictures of the kind tiff")
    ),
    "pictures of any name": Example(named_pictures, NAMED),
    "a floating picture": Example(floating_picture, NAMED, loses=("floating pictures",)),
    "nested tables": Example(
        elements(
            table(
                (
                    cell(table(row("{{ name }}", "inner"), columns=2), p(r("below"))),
                    *row("beside"),
                ),
                columns=2,
            )
        ),
        NAMED,
        shown=("inner", "below", "beside"),
    ),
    "footnotes": Example(
        notes("footnote"), {**NAMED, "note": "footing"}, shown=("The footing below",)
    ),
    "endnotes": Example(
        notes("endnote"), {**NAMED, "note": "ending"}, shown=("The ending below",), own_page=True
    ),
    "links": Example(
        links,
        {**NAMED, "url": "https://b.example/ä b", "mail": "a@b.example"},
        shown=("Go to Ada",),
    ),
    "a table of contents": Example(
        contents, NAMED, shown=("Chapter Ada", "To the top"), loses=("tabs",)
    ),
    "a text box in the header": Example(
        in_header(p(text_box("Box of {{ firm }}"))),
        NAMED,
        shown=("Box of Lovelace Ltd",),
        loses=("text boxes",),
    ),
    "a text box in the header, twice written": Example(
        in_header(
            p(
                text_box(
                    "Box of {{ firm }}",
                    "position:absolute;margin-left:330.7pt;margin-top:39.4pt;width:170pt;height:50pt;"
                    "mso-position-horizontal-relative:page;mso-position-vertical-relative:page",
                )
            )
        ),
        NAMED,
        shown=("Box of Lovelace Ltd",),
        loses=("text boxes",),
    ),
    "a table in the header": Example(
        in_header(table(row("{{ firm }}", "Tel. {{ phone }}"), columns=2)),
        NAMED,
        shown=("Lovelace Ltd", "Tel. 555-1"),
        loses=("tables in headers and footers",),
    ),
    "content controls": Example(
        in_header(
            control(p(r("Control of {{ firm }}"))), footer=(p(control(r("Foot {{ name }}"))),)
        ),
        NAMED,
        shown=("Control of Lovelace", "Foot Ada"),
        loses=("content controls in headers and footers",),
    ),
    "merge fields": Example(
        elements(
            p(f"<w:fldSimple w:instr='MERGEFIELD a'>{r('simple {{ name }}')}</w:fldSimple>"),
            p(complex_field("MERGEFIELD b", r("complex {{ name }}"))),
            p(complex_field(f"IF {complex_field('MERGEFIELD c', r('inner'))} = 1", r("outer"))),
        ),
        NAMED,
        shown=("simple Ada", "complex Ada", "outer"),
        hidden=("inner",),
    ),
    "fields that show what they showed last": Example(
        elements(
            p(r("{{ name }} "), complex_field(" REF nowhere \\h ", r("reference"))),
            p(complex_field(" PAGEREF _Toc9 \\h ", r("page seven"))),
            p(complex_field(' IF 1 = 1 "yes" "no" ', r("decided"))),
            p(complex_field(" FILENAME ", r("letter.docx"))),
            p(complex_field(" SAVEDATE ", r("last year")), r("; ")),
            p(f'<w:fldSimple w:instr="NUMWORDS">{r("many words")}</w:fldSimple>'),
            p(complex_field(" DOCPROPERTY Client ", r("Lovelace Ltd"))),
        ),
        NAMED,
        shown=("reference", "page seven", "decided", "letter.docx", "last year", "many words"),
        hidden=("Error", "placed", "settled"),
    ),
    "a watermark": Example(
        in_header(
            p(
                '<w:r><w:pict><v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" '
                'adj="10800" path="m@7,l@8,m@5,21600l@6,21600e"><v:textpath on="t" fitshape="t"/>'
                '</v:shapetype><v:shape id="Mark" type="#_x0000_t136" style="position:absolute;'
                "margin-left:0;margin-top:0;width:400pt;height:100pt;rotation:315;z-index:-251;"
                "mso-position-horizontal:center;mso-position-horizontal-relative:margin;"
                'mso-position-vertical:center;mso-position-vertical-relative:margin" '
                'fillcolor="silver" stroked="f"><v:fill opacity=".5"/><v:textpath '
                'style="font-family:Calibri;font-size:1pt" string="DRAFT"/></v:shape>'
                "</w:pict></w:r>"
            )
        ),
        NAMED,
        loses=("shapes",),
    ),
    "columns": Example(columns, NAMED, loses=("columns",)),
    "tabs with leaders": Example(tabbed, {"items": ITEMS}, shown=("Paper", "12"), loses=("tabs",)),
    "right to left": Example(
        elements(
            p(r("{{ text }}", "<w:rtl/>"), properties="<w:bidi/>"),
            p(f'<w:bdo w:val="rtl">{r("abc")}</w:bdo>'),
        ),
        {"text": "שלום עולם"},
        loses=("right-to-left text", "text directions"),
    ),
    "vertical cells": Example(
        elements(
            table(
                tuple(
                    cell(
                        p(r(f"{word} {{{{ name }}}}")),
                        properties=f'<w:textDirection w:val="{way}"/>',
                    )
                    for word, way in (("Upward", "btLr"), ("Downward", "tbRl"))
                ),
                row("Beside", "it"),
                columns=2,
            ),
            p(),
        ),
        NAMED,
        loses=("text directions",),
    ),
    "all scripts": Example(
        paragraphs("{{ text }}", "{{ more }} ☒ ✓"),
        {"text": "漢字 テスト 한국어 😀🚀", "more": "ไทย हिन्दी ქართული አማርኛ Ελλ Кир Źdź"},
        shown=("漢字", "한국어", "😀", "ไทย"),
    ),
    "ruby": Example(
        elements(
            p(
                f"<w:r><w:ruby><w:rt>{r('top')}</w:rt><w:rubyBase>{r('base')}</w:rubyBase>"
                "</w:ruby></w:r>"
            )
        ),
        shown=("top", "base"),
        loses=("ruby",),
    ),
    "hidden text": Example(
        hidden,
        {**NAMED, "secret": "hush"},
        shown=("Shown Ada", "kept"),
        hidden=("hiddendirect", "hiddenstyle", "hiddenline", "hush"),
    ),
    "numbers of lists": Example(
        numbered, NAMED, shown=("§ 1", "1.1", "§ 2"), loses=("numbers of lists",)
    ),
    "colours, sizes and borders": Example(
        dressed,
        NAMED,
        shown=("SHOUTED",),
        loses=(
            "alignment",
            "borders",
            "capitals",
            "colours",
            "font sizes",
            "highlighting",
            "shading",
        ),
    ),
    "a small page and a break": Example(small_page, NAMED, loses=("page breaks",), sizes=(A5, A5)),
    "an address in a frame": Example(framed_address, NAMED, loses=("frames",)),
    "formulas": Example(
        elements(
            p(
                r("{{ name }} "),
                "<m:oMath><m:f><m:num><m:r><m:t>x</m:t></m:r></m:num>"
                "<m:den><m:r><m:t>y</m:t></m:r></m:den></m:f></m:oMath>",
            )
        ),
        NAMED,
    ),
    "an invoice": Example(
        invoice,
        {**NAMED, "items": ITEMS},
        shown=("Invoice 2026-7", "Total", "42"),
        loses=("tables in headers and footers",),
        sizes=(A4,),
    ),
    "a chart": Example(chart, NAMED, shown=("Sales of Ada",), loses=("charts",)),
}
