"""Simplifies a DOCX for pandoc: keeps what is visible, drops what only word processors read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from docx import Document
from docx.opc.packuri import PackURI
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import qn
from lxml import etree

from automations.adapters.documents.styles import Styles, is_on

_AROUND = ("w:bdo", "w:dir", "w:customXml", "w:smartTag")
_ABOUT = frozenset({qn("w:customXmlPr"), qn("w:smartTagPr")})
_LINK = "HYPERLINK"
_TARGET = re.compile(r'\s*HYPERLINK\s+(?:\\\w\s+)*(?:"[^"]+"|[^\s"\\]+)', re.IGNORECASE)
_BLANKS = re.compile(r" {2,}")
_TITLES = frozenset({"title", "subtitle", "date"})
_KEPT = frozenset({_LINK})
_REFERENCES = frozenset({"REF", "PAGEREF", "NOTEREF"})
_SHOWN_LAST = frozenset(
    {
        *(
            "IF",
            "COMPARE",
            "ASK",
            "FILLIN",
            "FILENAME",
            "FILESIZE",
            "TEMPLATE",
            "INFO",
            "DOCPROPERTY",
        ),
        *("DOCVARIABLE", "AUTHOR", "TITLE", "SUBJECT", "KEYWORDS", "COMMENTS", "LASTSAVEDBY"),
        *("USERNAME", "USERINITIALS", "USERADDRESS", "NUMWORDS", "NUMCHARS", "REVNUM", "EDITTIME"),
        *("CREATEDATE", "SAVEDATE", "PRINTDATE"),
    }
)
"""Fields that LibreOffice computes by itself, from what it knows of a file in passing."""
_KEPT_IN_RUNNING = frozenset({_LINK, "PAGE", "NUMPAGES", "SECTIONPAGES"})
"""Fields of headers and footers that count pages."""


def write(document: Path, result: Path) -> None:
    """Write a copy without hidden text, with fields as they show, and with plain picture names."""
    package = Document(str(document))
    _complete(package)
    styles = Styles(package.styles.element)
    for part in package.part.package.parts:
        root = root_of(part)
        if root is None:
            continue
        _remove_hidden(root, styles)
        is_running = part.content_type.endswith((".header+xml", ".footer+xml"))
        for simple in list(root.iter(qn("w:fldSimple"))):
            if _kind(simple.get(qn("w:instr"), "")) == _LINK:
                _unwrap(simple)
        fields = _KEPT_IN_RUNNING if is_running else _KEPT
        _show_fields(root, partial(_is_one_of, fields))
        _show_links(part, root)
        _keep_blanks(root)
        for name in _AROUND:
            for element in list(root.iter(qn(name))):
                _unwrap(element)
        put(part, root)
    _keep_titles(package, styles)
    for number, part in enumerate(package.part.package.iter_parts()):
        if part.content_type.startswith("image/"):
            part.partname = PackURI(f"/word/media/picture{number}.{part.partname.ext.lower()}")
    package.save(str(result))


def rewrite(document: Path, result: Path) -> Path:
    """Write a copy for LibreOffice that shows what the document does, and give its path.

    Of some fields LibreOffice would show its own idea, or an error where what they name is gone.
    """
    package = Document(str(document))
    styles = Styles(package.styles.element)
    parts = [(part, root_of(part)) for part in package.part.package.parts]
    marks = {
        mark.get(qn("w:name"))
        for _, root in parts
        if root is not None
        for mark in root.iter(qn("w:bookmarkStart"))
    }

    def keeps(instruction: str) -> bool:
        kind, *more = instruction.split() or [""]
        if kind.upper() in _REFERENCES:
            return bool(more) and more[0].strip('"') in marks
        return kind.upper() not in _SHOWN_LAST

    for part, root in parts:
        if root is not None:
            _remove_hidden(root, styles)
            _show_fields(root, keeps)
            put(part, root)
    package.save(str(result))
    return result


def _complete(package: Any) -> None:
    """Add what a word processor does without, and the libraries do not."""
    body = package.element.body
    if body.find(qn("w:sectPr")) is None:
        body.append(OxmlElement("w:sectPr"))
    for part in package.part.package.parts:
        for table in part.element.iter(qn("w:tbl")) if hasattr(part, "element") else ():
            if table.find(qn("w:tblPr")) is None:
                table.insert(0, OxmlElement("w:tblPr"))


def root_of(part: Any) -> Any:
    """The tree of a part of text; None of any other part."""
    if not part.content_type.endswith("+xml") or "wordprocessingml" not in part.content_type:
        return None
    return part._element if hasattr(part, "_element") else parse_xml(part.blob)


def put(part: Any, root: Any) -> None:
    """Have a part hold a tree that was changed."""
    if not hasattr(part, "_element"):
        part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _remove_hidden(root: Any, styles: Styles) -> None:
    for about in list(root.iter(qn("wp:docPr"))):
        if about.get("hidden", "0") not in ("0", "false"):
            _remove(next(about.iterancestors(qn("w:drawing"))))
    for row in list(root.iter(qn("w:tr"))):
        hidden = row.find(f"{qn('w:trPr')}/{qn('w:hidden')}")
        if hidden is not None and is_on(hidden):
            _remove(row)
    for paragraph in list(root.iter(qn("w:p"))):
        runs = [run for run in paragraph.iter(qn("w:r")) if _paragraph_of(run) is paragraph]
        hidden_runs = [run for run in runs if styles.hides(run, paragraph)]
        for run in hidden_runs:
            _remove(run)
        # A paragraph of which nothing is left, and whose end is hidden too, takes no line.
        mark = paragraph.find(f"{qn('w:pPr')}/{qn('w:rPr')}/{qn('w:vanish')}")
        emptied = len(hidden_runs) == len(runs)
        if mark is not None and is_on(mark) and emptied and _may_go(paragraph):
            _remove(paragraph)


def _may_go(paragraph: Any) -> bool:
    if paragraph.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is not None:
        return False
    # A cell, a header or a note must hold a paragraph.
    parent = paragraph.getparent()
    return parent is not None and len(parent.findall(qn("w:p"))) > 1


def _paragraph_of(run: Any) -> Any:
    return next(run.iterancestors(qn("w:p")), None)


def _is_one_of(kinds: frozenset[str], instruction: str) -> bool:
    kind = _kind(instruction)
    return kind in kinds and (kind != _LINK or _TARGET.match(instruction) is not None)


def _show_fields(root: Any, keeps: Callable[[str], bool]) -> None:
    """Leave of fields what they showed last, but for those that are to be read again.

    Args:
        keeps: whether a field of an instruction is one of these.
    """
    open_fields: list[_Field] = []
    for run in list(root.iter(qn("w:r"))):
        for element in list(run):
            if element.tag == qn("w:fldChar"):
                _turn(element, open_fields, keeps)
            elif element.tag == qn("w:instrText"):
                if open_fields:
                    open_fields[-1].instruction += element.text or ""
                    open_fields[-1].marks.append(element)
            elif element.tag != qn("w:rPr"):
                for field in open_fields:
                    field.inside += [] if field.shows else [element]
    for simple in list(root.iter(qn("w:fldSimple"))):
        if not keeps(simple.get(qn("w:instr"), "")):
            _unwrap(simple)


class _Field:
    def __init__(self, begin: Any) -> None:
        self.marks = [begin]
        self.inside: list[Any] = []
        self.instruction = ""
        self.shows = False


def _turn(element: Any, open_fields: list[_Field], keeps: Callable[[str], bool]) -> None:
    kind = element.get(qn("w:fldCharType"))
    if kind == "begin":
        open_fields.append(_Field(element))
    elif open_fields:
        field = open_fields[-1]
        field.marks.append(element)
        if kind == "separate":
            field.shows = True
        elif kind == "end":
            open_fields.pop()
            if not keeps(field.instruction):
                # What lies in its instruction is no part of what it shows.
                for mark in (*field.marks, *field.inside):
                    _remove(mark)


def _show_links(part: Any, root: Any) -> None:
    """Leave of links that lead nowhere what they show, as word processors do."""
    for link in list(root.iter(qn("w:hyperlink"))):
        relation = part.rels.get(link.get(qn("r:id"), ""))
        leads = relation is not None and (not relation.is_external or relation.target_ref.strip())
        if not leads and not link.get(qn("w:anchor")):
            _unwrap(link)
    for picture_link in list(root.iter(qn("a:hlinkClick"))):
        if part.rels.get(picture_link.get(qn("r:id"), "")) is None:
            _remove(picture_link)


def _keep_blanks(root: Any) -> None:
    """Have several blanks be as wide as they are: of plain ones pandoc knows one."""
    for text in root.iter(qn("w:t")):
        if "  " in (text.text or ""):
            text.text = _BLANKS.sub(
                lambda match: "\u00a0" * (len(match.group()) - 1) + " ", text.text
            )


def _keep_titles(package: Any, styles: Styles) -> None:
    """Let only the first title of a kind be one: pandoc knows one of each, and drops the others."""
    seen: set[str] = set()
    for paragraph in package.element.body.iter(qn("w:p")):
        named = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        if named is None:
            continue
        style = next(styles.chain(named.get(qn("w:val"))), None)
        title = None if style is None else style.find(qn("w:name"))
        name = "" if title is None else title.get(qn("w:val"), "").lower()
        if name in _TITLES and name in seen:
            _remove(named)
        seen.add(name)


def _kind(instruction: str) -> str:
    return (instruction.split() or [""])[0].upper()


def _unwrap(element: Any) -> None:
    for child in _visible_children(element):
        element.addprevious(child)
    _remove(element)


def _visible_children(element: Any) -> Iterator[Any]:
    for child in list(element):
        if child.tag not in _ABOUT:
            yield child


def _remove(element: Any) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)
