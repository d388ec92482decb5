"""Word templates of every kind: filled, made into PDFs, and read there again."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from lxml import etree

from automations.adapters.documents import (
    directions,
    fonts,
    losses,
    parts,
    plain,
    soffice,
    templates,
    text_boxes,
    typesetting,
)
from tests.letters import letter
from tests.unit.adapters.documents.word_templates import TEMPLATES, docx

pytestmark = pytest.mark.slow

PROGRAM = soffice.find()
_RUNNING = ("word/header", "word/footer")
_UNREAD = {"instrText", "vanish", "rStyle", "caps", "txbxContent"}
"""What a run holds that says nothing itself, or is expected by name."""


@dataclass(frozen=True, slots=True)
class Pdf:
    """What a reader finds in a PDF."""

    text: str
    sizes: tuple[tuple[int, int], ...]


def read(path: Path) -> Pdf:
    document = pypdfium2.PdfDocument(path)
    try:
        texts, sizes = [], []
        for page in document:
            sizes.append((round(page.get_width()), round(page.get_height())))
            found = page.get_textpage()
            texts.append(found.get_text_range())
            found.close()
            page.close()
        return Pdf("\n".join(texts), tuple(sizes))
    finally:
        document.close()


def squeezed(text: str) -> str:
    """A text as it can be compared: line ends are the page's, and so are some forms of letters."""
    plain_text = unicodedata.normalize("NFKC", text).replace("\xad", "").replace("\ufffe", "")
    return "".join(plain_text.split())


def shown(text: str, pdf: Pdf) -> bool:
    wanted, found = squeezed(text), squeezed(pdf.text)
    # Text that runs from right to left may be stored either way.
    return wanted in found or wanted[::-1] in found


def words(content: bytes) -> Iterator[str]:
    """The words that a document shows, apart from those that are hidden or capitalised."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        for name in package.namelist():
            if name == "word/document.xml" or name.startswith(
                (*_RUNNING, "word/footnotes", "word/endnotes")
            ):
                for run in etree.fromstring(package.read(name)).iter("{*}r"):
                    if not _is_apart(run):
                        yield from "".join(run.itertext("{*}t")).split()


def _is_apart(run: Any) -> bool:
    inside = {etree.QName(element).localname for element in run.iter(etree.Element)}
    around = {etree.QName(element).localname for element in run.iterancestors()}
    counted = around & {"fldSimple"} or inside & _UNREAD
    return bool(counted or "Fallback" in around)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("filled")
    made = {}
    for number, (name, example) in enumerate(TEMPLATES.items()):
        template, result = folder / f"{number}.template", folder / f"{number}.docx"
        template.write_bytes(docx(example))
        parts.check(template)
        templates.fill_docx(template, dict(example.data), result)
        parts.check(result)
        made[name] = result
    return made


@pytest.fixture(scope="module")
def office(
    filled: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    if PROGRAM is None:
        pytest.skip("LibreOffice is not installed")
    folder = tmp_path_factory.mktemp("office")
    placed = {
        name: text_boxes.rewrite(
            directions.rewrite(
                plain.rewrite(path, folder / f"settled {path.name}"),
                folder / f"marked {path.name}",
            ),
            folder / f"placed {path.name}",
        )
        for name, path in filled.items()
    }
    soffice.pdfs_from_docx(PROGRAM, list(placed.values()), folder)
    return {name: folder / f"{path.stem}.pdf" for name, path in placed.items()}


def test_there_are_at_least_forty_of_them() -> None:
    assert len(TEMPLATES) >= 40


@pytest.mark.parametrize("name", TEMPLATES)
def test_libreoffice_shows_what_the_document_shows(
    name: str, filled: Mapping[str, Path], office: Mapping[str, Path]
) -> None:
    example, pdf = TEMPLATES[name], read(office[name])
    wanted = {*words(filled[name].read_bytes()), *example.shown} - {*example.hidden}
    assert [text for text in wanted if not shown(text, pdf)] == [], pdf.text
    assert [text for text in example.hidden if shown(text, pdf)] == []
    sizes = (*example.sizes, *example.sizes[: int(example.own_page)])
    assert len(pdf.sizes) == len(sizes)
    for (width, height), (wanted_width, wanted_height) in zip(pdf.sizes, sizes, strict=True):
        assert abs(width - wanted_width) < 2
        assert abs(height - wanted_height) < 2
    assert "{{" not in pdf.text


@pytest.mark.parametrize(
    "name", ["a text box in the header", "a text box in the header, twice written"]
)
def test_a_text_box_is_where_the_letterhead_has_it(name: str, office: Mapping[str, Path]) -> None:
    document = pypdfium2.PdfDocument(office[name])
    found = document[0].get_textpage()
    left, bottom, *_ = found.get_charbox(found.get_text_range().index("Box of"))
    found.close()
    document.close()
    # 4,200,000 and 500,000 EMU from the page's corner.
    assert (330 < left < 345, 720 < bottom < 752) == (True, True), (left, bottom)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_small_engine_shows_it_too_or_names_what_it_would_lose(
    name: str, filled: Mapping[str, Path], tmp_path: Path
) -> None:
    example, document = TEMPLATES[name], tmp_path / "document.docx"
    document.write_bytes(filled[name].read_bytes())
    lost = losses.find(document)
    assert set(example.loses) <= set(lost)
    assert bool(lost) == bool(example.loses), lost
    plain.write(document, tmp_path / "plain.docx")
    typesetting.pdf_from_docx(tmp_path / "plain.docx", tmp_path / "document.pdf")
    pdf = read(tmp_path / "document.pdf")
    assert [text for text in example.hidden if shown(text, pdf)] == []
    if not lost:
        wanted = {*words(filled[name].read_bytes()), *example.shown} - {*example.hidden}
        assert [text for text in wanted if not shown(text, pdf)] == [], pdf.text
        assert len(pdf.sizes) == len(example.sizes)


@pytest.mark.parametrize("name", TEMPLATES)
def test_its_placeholders_are_found_before_it_is_filled(name: str, tmp_path: Path) -> None:
    example, template = TEMPLATES[name], tmp_path / "template.docx"
    template.write_bytes(docx(example))
    found = {path.partition(".")[0] for path in templates.placeholders("docx", template)}
    assert found <= set(example.data)
    assert found or name == "ruby"


@pytest.mark.skipif(PROGRAM is None, reason="LibreOffice is not installed")
def test_links_lead_where_the_data_says(filled: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(filled["links"]) as package:
        rels = package.read("word/_rels/document.xml.rels").decode()
    assert 'Target="https://b.example/%C3%A4%20b"' in rels
    assert 'Target="https://a.example/?q=Ada"' in rels
    assert 'Target="mailto:a@b.example"' in rels


def test_characters_without_a_font_are_named(tmp_path: Path) -> None:
    # A character of private use that nobody has drawn.
    nobodys = "\U0010fabc"
    assert fonts.unknown_to_typst([nobodys, "Ж", "☐"], tmp_path) == [nobodys]
    if PROGRAM is not None:
        assert fonts.unknown_to_fontconfig([nobodys, "Ж", "漢", "😀"], tmp_path) == [nobodys]
    document = tmp_path / "document.docx"
    document.write_bytes(letter(f"Ada Żółć {nobodys} 漢\u200d\ufe0f"))
    assert fonts.rare_characters(document) == ["漢", nobodys]
    many = [chr(number) for number in range(0x4E00, 0x4E0A)]
    assert fonts.describe(many).startswith("一 (U+4E00), 丁 (U+4E01)")
    assert fonts.describe(many).endswith(" and 2 more")
