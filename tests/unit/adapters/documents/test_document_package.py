"""What a DOCX may hold: nothing that a word processor would fetch, start or read elsewhere."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from automations.adapters.documents import package, parts, templates
from automations.adapters.documents.problems import TemplateProblem
from tests.letters import letter, repacked

RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELS = "word/_rels/document.xml.rels"
DOCUMENT = "word/document.xml"
LAY = "file:///C:/Users/ada/x.dotx"


def related(
    kind: str, target: str, rels: str = RELS, mode: str = "External", docx: bytes | None = None
) -> bytes:
    """A DOCX with one relationship more, rIdX."""
    mode = f' TargetMode="{mode}"' if mode else ""
    line = f'<Relationship Id="rIdX" Type="{RELATIONSHIPS}/{kind}" Target="{target}"{mode}/>'
    end = "</Relationships>"
    docx = docx or letter("x")
    if rels not in zipfile.ZipFile(io.BytesIO(docx)).namelist():
        start = (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        )
        return repacked(docx, added={rels: f"{start}{line}{end}".encode()})
    return repacked(docx, {rels: lambda part: part.replace(end.encode(), (line + end).encode())})


def within(xml: str, docx: bytes | None = None) -> bytes:
    """A DOCX with this in its first paragraph."""
    return repacked(
        docx or letter("x"),
        {DOCUMENT: lambda part: part.replace(b"</w:p>", xml.encode() + b"</w:p>", 1)},
    )


def problem(docx: bytes, folder: Path) -> str | None:
    path = folder / "a.docx"
    path.write_bytes(docx)
    try:
        parts.check(path)
    except TemplateProblem as found:
        return str(found)
    return None


BLIP = (
    '<w:r><w:drawing><a:blip xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{RELATIONSHIPS}" r:link="rIdX"/></w:drawing></w:r>'
)
VML = '<w:r><w:pict><v:{} xmlns:v="urn:schemas-microsoft-com:vml" {}/></w:pict></w:r>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


@pytest.mark.parametrize("mode", ["External", "external", ""])
@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/x.png", "file:///etc/passwd", "//host/x", "\\\\host\\share"]
)
def test_a_picture_elsewhere_is_refused_however_it_is_linked(
    mode: str, target: str, tmp_path: Path
) -> None:
    assert "content outside" in str(problem(related("image", target, mode=mode), tmp_path))


@pytest.mark.parametrize("kind", ["hyperlink", "attachedTemplate"])
def test_a_picture_cannot_be_fetched_by_another_kind_of_relationship(
    kind: str, tmp_path: Path
) -> None:
    docx = within(BLIP, related(kind, "http://127.0.0.1/x.png"))
    assert "content outside" in str(problem(docx, tmp_path))


def test_a_template_that_is_attached_elsewhere_than_in_the_settings_is_refused(
    tmp_path: Path,
) -> None:
    assert "attachedTemplate" in str(problem(related("attachedTemplate", "C:\\a.dotx"), tmp_path))


@pytest.mark.parametrize(
    "xml",
    [
        VML.format("imagedata", 'src="http://127.0.0.1/x.png"'),
        VML.format("fill", 'src="file:///etc/passwd"'),
    ],
)
def test_an_old_drawing_that_names_an_address_is_refused(xml: str, tmp_path: Path) -> None:
    assert "content outside" in str(problem(within(xml), tmp_path))


@pytest.mark.parametrize(
    "inside",
    [
        '<image xlink:href="file:///etc/passwd"/>',
        '<image href="http://127.0.0.1/x.png"/>',
        '<use xlink:href="other.svg#a"/>',
        "<style>@import 'http://127.0.0.1/x.css';</style>",
        "<style>rect { fill: url(http://127.0.0.1/x.svg#a) }</style>",
        '<rect style="fill: url(&quot;file:///x.svg#a&quot;)"/>',
    ],
)
def test_a_drawing_that_reads_others_is_refused(inside: str, tmp_path: Path) -> None:
    docx = repacked(letter("x"), added={"word/media/a.svg": SVG.format(inside).encode()})
    assert "content outside" in str(problem(docx, tmp_path))


@pytest.mark.parametrize(
    "inside",
    [
        '<use xlink:href="#a"/><rect fill="url(#b)"/>',
        '<image href="data:image/png;base64,AA=="/>',
        '<a href="https://a.example"><rect/></a>',
    ],
)
def test_a_drawing_of_its_own_is_welcome(inside: str, tmp_path: Path) -> None:
    docx = repacked(letter("x"), added={"word/media/a.svg": SVG.format(inside).encode()})
    assert problem(docx, tmp_path) is None


def test_where_a_template_lay_is_nowhere_in_what_is_made_of_it(tmp_path: Path) -> None:
    def noted(part: bytes) -> bytes:
        element = f'<w:attachedTemplate xmlns:r="{RELATIONSHIPS}" r:id="rIdX"/>'.encode()
        return part.replace(b"<w:zoom", element + b"<w:zoom", 1)

    settings = "word/settings.xml"
    docx = related(
        "attachedTemplate", "file:///C:/Users/ada/x.dotx", "word/_rels/settings.xml.rels"
    )
    docx = repacked(docx, {settings: noted})
    # A glossary has settings of its own, which no library knows.
    glossary = (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.glossary+xml"
    )
    its_settings = "application/vnd.openxmlformats-officedocument.wordprocessingml.settings+xml"
    types = (
        f'<Override PartName="/word/glossary/document.xml" ContentType="{glossary}"/>'
        f'<Override PartName="/word/glossary/settings.xml" ContentType="{its_settings}"/></Types>'
    )
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    docx = repacked(
        docx,
        {"[Content_Types].xml": lambda part: part.replace(b"</Types>", types.encode())},
        {
            "word/glossary/document.xml": f"<w:glossaryDocument {w}/>".encode(),
            "word/glossary/settings.xml": (
                f'<w:settings {w} xmlns:r="{RELATIONSHIPS}"><w:attachedTemplate r:id="rIdX"/>'
                "</w:settings>"
            ).encode(),
        },
    )
    docx = related("glossaryDocument", "glossary/document.xml", mode="", docx=docx)
    inner = "word/glossary/_rels/document.xml.rels"
    docx = related("settings", "settings.xml", inner, mode="", docx=docx)
    docx = related("attachedTemplate", LAY, "word/glossary/_rels/settings.xml.rels", docx=docx)
    assert problem(docx, tmp_path) is None
    made = tmp_path / "made.docx"
    templates.fill_docx(tmp_path / "a.docx", {}, made)
    with zipfile.ZipFile(made) as package:
        held: dict[str, Any] = {name: package.read(name) for name in package.namelist()}
    assert "word/glossary/settings.xml" in held
    assert [name for name, part in held.items() if b"attachedTemplate" in part] == []
    assert [name for name, part in held.items() if b"Users" in part] == []


def test_a_field_that_only_the_data_makes_one_is_refused(tmp_path: Path) -> None:
    field = '<w:fldSimple w:instr="{{ a }}"/>'
    template = tmp_path / "t.docx"
    template.write_bytes(within(field))
    made = tmp_path / "made.docx"
    templates.fill_docx(template, {"a": 'INCLUDETEXT "/etc/passwd"'}, made)
    with pytest.raises(TemplateProblem, match="INCLUDETEXT"):
        parts.check(made)


def changed(old: bytes, new: bytes) -> bytes:
    """A letter with other words in its parts."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(letter("Dear {{ name }}"))) as given,
        zipfile.ZipFile(made, "w") as written,
    ):
        for name in given.namelist():
            written.writestr(name, given.read(name).replace(old, new))
    return made.getvalue()


MAIN = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (COMPOUND, "Word 97 (.doc): save it as .docx"),
        (COMPOUND + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        (b"%PDF-1.7", "is a PDF, no DOCX"),
        (b"{\\rtf1 Dear}", "is in Rich Text Format, no DOCX"),
        (
            changed(MAIN, b"application/vnd.ms-word.document.macroEnabled.main+xml"),
            "has macros (.docm): save it as .docx",
        ),
        (changed(MAIN, MAIN.replace(b"document.main", b"template.main")), "(.dotx): save it as"),
        (
            changed(
                b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
                b"http://purl.oclc.org/ooxml/wordprocessingml/main",
            ),
            "Strict Open XML document: save it as",
        ),
    ],
    ids=["doc", "encrypted", "pdf", "rtf", "docm", "dotx", "strict"],
)
def test_what_people_take_for_a_docx_is_refused_by_its_name(content: bytes, told: str) -> None:
    with pytest.raises(TemplateProblem) as refused:
        package.check(content)
    assert told in str(refused.value)
