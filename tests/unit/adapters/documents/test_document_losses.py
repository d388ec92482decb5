"""What the small engine names before it would lose it, one construct at a time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docx.enum.section import WD_SECTION
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm

from automations.adapters.documents import losses, plain, typesetting
from tests.letters import letter, repacked
from tests.unit.adapters.documents.word_templates import (
    body,
    cell,
    complex_field,
    control,
    in_header,
    p,
    png,
    r,
    row,
    table,
    xml,
)

Build = Callable[[Any], None]


def lost(build: Build, folder: Path) -> list[str]:
    path = folder / "document.docx"
    path.write_bytes(letter("x", build=build))
    return losses.find(path)


def elements(*texts: str) -> Build:
    return lambda document: body(document, *texts)


def centred_heading(document: Any) -> None:
    document.styles["Heading 1"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    document.add_heading("Centred", 1)


def numbered_heading(document: Any) -> None:
    number = xml('<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
    document.add_heading("Numbered", 1)._p.get_or_add_pPr().append(number)


def later_first_page(document: Any) -> None:
    document.sections[0].first_page_header.paragraphs[0].text = "Of the second section's first page"
    document.add_section(WD_SECTION.CONTINUOUS).different_first_page_header_footer = True


def two_lists(document: Any) -> None:
    document.add_paragraph("One", style="List Number")
    document.add_paragraph("Of another", style="List Number 2")


def roman_notes(document: Any) -> None:
    form = xml('<w:footnotePr><w:numFmt w:val="lowerRoman"/></w:footnotePr>')
    document.sections[0]._sectPr.insert(0, form)


def in_numerals(form: str, text: str = "%1.") -> Build:
    level = f'<w:lvl w:ilvl="0"><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
    number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="91"/></w:numPr>'

    def build(document: Any) -> None:
        root = document.part.numbering_part._element
        root.insert(0, xml(f'<w:abstractNum w:abstractNumId="91">{level}</w:abstractNum>'))
        root.append(xml('<w:num w:numId="91"><w:abstractNumId w:val="91"/></w:num>'))
        body(document, p(r("item"), properties=number))

    return build


def noted(kind: str, rules: str) -> Build:
    return lambda document: document.sections[0]._sectPr.insert(
        0, xml(f"<w:{kind}Pr>{rules}</w:{kind}Pr>")
    )


def changed_picture(part: str, change: Callable[[Any], object]) -> Build:
    def build(document: Any) -> None:
        picture = document.add_picture(io.BytesIO(png()), Cm(3))._inline.graphic.graphicData.pic
        change(next(picture.iter(qn(part))))

    return build


def form_field(kind: str) -> str:
    data = f'<w:ffData><w:name w:val="f"/>{kind}</w:ffData>'
    return f'<w:r><w:fldChar w:fldCharType="begin">{data}</w:fldChar></w:r>'


def styled(document: Any) -> None:
    style = document.styles.add_style("Loud", 1)
    style.base_style = None
    style.element.append(xml('<w:rPr><w:color w:val="FF0000"/></w:rPr>'))
    document.add_paragraph("Red", style="Loud")


def table_style(document: Any) -> None:
    document.add_table(2, 2).style = "Light Grid Accent 1"


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (centred_heading, "alignment"),
        (numbered_heading, "numbers of headings"),
        (later_first_page, "headers and footers of later sections"),
        (styled, "colours"),
        (table_style, "shading"),
        (elements(p(complex_field(" PAGE ", r("1")))), "page numbers in the text"),
        (elements(p('<w:fldSimple w:instr="NUMPAGES"/>')), "page numbers in the text"),
        (elements(p('<w:r><w:sym w:font="Segoe UI" w:char="2612"/></w:r>')), "symbols"),
        (elements(p(r("x"), properties='<w:ind w:left="720"/>')), "indents"),
        (elements(p(r("x", '<w:sz w:val="40"/>'))), "font sizes"),
        (elements(p(f'<w:ins w:id="1" w:author="a">{r("new")}</w:ins>')), "tracked changes"),
        (elements(p('<w:r><w:br w:type="column"/></w:r>')), "page breaks"),
        (elements(p('<w:r><w:ptab w:alignment="right"/></w:r>')), "tabs"),
        (elements(p("<w:r><w:pict><v:rect/></w:pict></w:r>")), "shapes"),
        (in_header(p(r("x", '<w:u w:val="single"/>'))), "formatting in headers and footers"),
        (in_header(p("<w:r><w:pict><v:imagedata/></w:pict></w:r>")), "shapes"),
        (
            in_header(p("<w:r><w:noBreakHyphen/></w:r>")),
            "special characters in headers and footers",
        ),
        (in_header(p(complex_field(" PAGE \\* roman ", r("i")))), "page numbering"),
        (in_header(p("<m:oMath/>")), "formulas in headers and footers"),
        (in_header("<w:p/>", footer=(table(row("a")),)), "tables in headers and footers"),
        (in_header(control(p(r("a")))), "content controls in headers and footers"),
        (two_lists, "numbers of lists"),
        (elements(p(form_field("<w:checkBox><w:checked/></w:checkBox>"))), "form fields"),
        (elements(p(form_field('<w:ddList><w:listEntry w:val="a"/></w:ddList>'))), "form fields"),
        (elements(p("<w:r><w:dayLong/></w:r>")), "dates"),
        (elements(p(complex_field(' DATE \\@ "yyyy" ', r("2019")))), "dates"),
        (in_header(p('<w:fldSimple w:instr="TIME"/>')), "dates"),
        (elements(p(r("x", "<w:dstrike/>"))), "formatting"),
        (elements(p(r("x", '<w:position w:val="6"/>'))), "formatting"),
        (elements(p(r("x", '<w:spacing w:val="40"/>'))), "formatting"),
        (elements(p(r("x", '<w:u w:val="wave"/>'))), "formatting"),
        (elements(p(r("x", '<w:em w:val="dot"/>'))), "formatting"),
        (
            elements(
                p('<w:r><w:footnoteReference w:customMarkFollows="1" w:id="2"/><w:t>*</w:t></w:r>')
            ),
            "marks of notes",
        ),
        (roman_notes, "marks of notes"),
        (
            elements(
                table(row("a", "b"), row("c"), columns=2).replace(
                    f"<w:tr>{cell(p(r('c')))}",
                    f'<w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr>{cell(p(r("c")))}',
                )
            ),
            "cells out of line",
        ),
        (
            elements(
                table(row("a", "b"), row("c"), columns=2).replace(
                    f"<w:tr>{cell(p(r('c')))}",
                    f'<w:tr><w:trPr><w:gridAfter w:val="1"/></w:trPr>{cell(p(r("c")))}',
                )
            ),
            "cells out of line",
        ),
        (in_numerals("decimalZero"), "numbers of lists"),
        (in_numerals("ordinal", "%1"), "numbers of lists"),
        (in_numerals("hebrew1"), "numbers of lists"),
        (in_numerals("none", ""), "numbers of lists"),
        (noted("footnote", '<w:numStart w:val="5"/>'), "marks of notes"),
        (noted("endnote", '<w:numRestart w:val="eachSect"/>'), "marks of notes"),
        (elements(p(complex_field(" SYMBOL 252 \\f Wingdings ", ""))), "fields that are drawn"),
        (elements(p(complex_field(" EQ \\f(1,2) ", ""))), "fields that are drawn"),
        (elements(p('<w:fldSimple w:instr="AUTONUMLGL"/>')), "fields that are drawn"),
        (changed_picture("a:xfrm", lambda at: at.set("rot", "5400000")), "effects on pictures"),
        (changed_picture("a:xfrm", lambda at: at.set("flipH", "1")), "effects on pictures"),
        (
            changed_picture("a:prstGeom", lambda at: at.set("prst", "ellipse")),
            "effects on pictures",
        ),
        (
            changed_picture("a:blip", lambda at: at.append(xml("<a:grayscl/>"))),
            "effects on pictures",
        ),
    ],
)
def test_it_is_named(build: Build, name: str, tmp_path: Path) -> None:
    assert name in lost(build, tmp_path)


@pytest.mark.parametrize(
    "build",
    [
        elements(p(r("b", "<w:b/>"), r("i", "<w:i/>"), r("u", '<w:u w:val="single"/>'))),
        elements(p(r("x", '<w:color w:val="auto"/><w:sz w:val="22"/><w:caps w:val="0"/>'))),
        elements(p(r("x"), properties="<w:rPr><w:color w:val='FF0000'/></w:rPr>")),
        elements(p('<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>')),
        elements(p(complex_field("MERGEFIELD a", r("merged"))), control(p(r("controlled")))),
        elements(table(row("a", "b"), columns=2)),
        in_header(p(complex_field(" PAGE ", r("1")), r(" bold", "<w:b/>"))),
        in_header(p("<w:r><w:tab/></w:r>", r("x"), properties='<w:jc w:val="center"/>')),
        lambda document: document.add_heading("Plain", 2) and None,
        lambda document: document.add_paragraph("One", style="List Bullet") and None,
        lambda document: document.add_paragraph("One", style="List Number") and None,
        elements(p(r("x", '<w:spacing w:val="0"/><w:u w:val="none"/><w:dstrike w:val="0"/>'))),
        elements(p(r("x"), properties='<w:spacing w:before="120" w:line="360"/>')),
        elements(p('<w:r><w:footnoteReference w:id="2"/></w:r>')),
        elements(p(form_field("<w:textInput/>"), r("x"))),
    ],
)
def test_what_is_shown_is_not_named(build: Build, tmp_path: Path) -> None:
    assert lost(build, tmp_path) == []


def test_a_document_that_says_nothing_of_its_page_or_its_tables_is_typeset(tmp_path: Path) -> None:
    def bare(part: bytes) -> bytes:
        part = re.sub(rb"<w:sectPr.*</w:sectPr>", b"", part, flags=re.DOTALL)
        return re.sub(rb"<w:tblPr>.*?</w:tblPr>", b"", part, flags=re.DOTALL)

    path = tmp_path / "document.docx"
    content = letter("x", build=elements(table(row("a", "b"), columns=2)))
    path.write_bytes(repacked(content, {"word/document.xml": bare}))
    assert losses.find(path) == []
    plain.write(path, tmp_path / "plain.docx")
    typesetting.pdf_from_docx(tmp_path / "plain.docx", tmp_path / "document.pdf")
    assert (tmp_path / "document.pdf").read_bytes().startswith(b"%PDF-")
