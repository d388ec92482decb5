"""What the small engine shows of a DOCX: all that word processors show, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.shared import Cm

from automations.adapters.documents import losses, plain, templates, typesetting
from tests.letters import letter
from tests.unit.adapters.documents.word_templates import (
    body,
    cell,
    complex_field,
    elements,
    p,
    png,
    r,
    row,
    table,
    xml,
)

Build = Callable[[Any], None]
HIDDEN = "<w:rPr><w:vanish/></w:rPr>"
SHOWN = '<w:vanish w:val="0"/>'


def read(build: Build, folder: Path) -> tuple[str, int]:
    """The text of the PDF, and how many pictures are on its page."""
    filled, document = folder / "filled.docx", folder / "document.docx"
    filled.write_bytes(letter(build=build))
    templates.fill_docx(filled, {"empty": ""}, document)
    assert losses.find(document) == []
    plain.write(document, folder / "plain.docx")
    typesetting.pdf_from_docx(folder / "plain.docx", folder / "document.pdf")
    pdf = pypdfium2.PdfDocument(folder / "document.pdf")
    try:
        page = pdf[0]
        text = page.get_textpage().get_text_range()
        pictures = sum(1 for element in page.get_objects() if element.type == 3)
        return " ".join(text.replace("\u00a0", "_").split()), pictures
    finally:
        pdf.close()


def by_the_usual_style(document: Any) -> None:
    document.styles["Normal"].element.get_or_add_rPr().append(xml("<w:vanish/>"))
    document.add_paragraph("secret")
    body(document, p(r("shown", SHOWN)))


def by_default(document: Any) -> None:
    defaults = document.styles.element.find(qn("w:docDefaults"))
    defaults.find(f"{qn('w:rPrDefault')}/{qn('w:rPr')}").append(xml("<w:vanish/>"))
    document.add_paragraph("secret")
    body(document, p(r("shown", SHOWN)))


def by_a_tables_style(document: Any) -> None:
    document.styles.add_style("Secret", WD_STYLE_TYPE.TABLE).element.append(xml(HIDDEN))
    made = document.add_table(1, 1)
    made.style = "Secret"
    made.cell(0, 0).text = "secret"
    document.add_paragraph("shown")


def picture(document: Any) -> None:
    inline = document.add_picture(io.BytesIO(png()), Cm(3))._inline
    inline.find(qn("wp:docPr")).set("hidden", "1")
    document.add_paragraph("shown")


@pytest.mark.parametrize("build", [by_the_usual_style, by_default, by_a_tables_style, picture])
def test_what_is_hidden_is_hidden_wherever_that_is_said(build: Build, tmp_path: Path) -> None:
    assert read(build, tmp_path) == ("shown", 0)


def link(attributes: str) -> Build:
    return elements(p(f"<w:hyperlink {attributes}>{r('shown')}</w:hyperlink>"))


def to(target: str) -> Build:
    def build(document: Any) -> None:
        related = document.part.relate_to(target, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        link(f'r:id="{related}"')(document)

    return build


@pytest.mark.parametrize(
    "build",
    [
        link(""),
        link('w:anchor=""'),
        link('w:anchor="nowhere"'),
        link('w:anchor="ż #1 > x"'.replace(">", "&gt;")),
        link('r:id="rId999"'),
        to("{{ empty }}"),
        elements(p(complex_field(' HYPERLINK "" ', r("shown")))),
        elements(p(complex_field(" HYPERLINK ", r("shown")))),
        elements(p(complex_field(' HYPERLINK \\l "nowhere" ', r("shown")))),
    ],
)
def test_a_link_that_leads_nowhere_shows_its_text(build: Build, tmp_path: Path) -> None:
    assert read(build, tmp_path)[0] == "shown"


@pytest.mark.parametrize(
    "text",
    [
        "wait... what",
        "really-?",
        "-5 EUR, (-7) and 3 - 4",
        "--- and -- and ...",
        "#set *a* _b_ $c$ @d `e` ~f~ // g",
    ],
)
def test_signs_are_shown_as_they_are_written(text: str, tmp_path: Path) -> None:
    assert read(lambda document: document.add_paragraph(text) and None, tmp_path)[0] == text


def test_several_blanks_are_as_wide_as_they_are(tmp_path: Path) -> None:
    assert read(elements(p(r("a   b"))), tmp_path)[0] == "a__ b"


def titled(name: str, text: str) -> str:
    return p(r(text), properties=f'<w:pStyle w:val="{name}"/>')


def test_no_title_is_lost_beside_another(tmp_path: Path) -> None:
    build = elements(titled("Title", "One"), titled("Title", "Two"), titled("Subtitle", "Three"))
    assert read(build, tmp_path)[0] == "One Two Three"


def test_a_caption_stands_above_its_table_and_says_what_it_says(tmp_path: Path) -> None:
    build = elements(titled("Caption", "Table A: prices"), table(row("a", "b"), columns=2))
    assert read(build, tmp_path)[0].split() == ["Table", "A:", "prices", "a", "b"]


def test_a_table_without_a_grid_is_filled_and_shown(tmp_path: Path) -> None:
    build = elements(f"<w:tbl><w:tblPr/><w:tr>{cell(p(r('a{{ empty }}')))}</w:tr></w:tbl>")
    assert read(build, tmp_path)[0] == "a"
