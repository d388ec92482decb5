"""A DOCX template: each of its parts that shows text is a template, and so are its links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from docx.opc.oxml import parse_xml, serialize_part_xml
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docxtpl import DocxTemplate

from automations.adapters.documents.problems import TemplateProblem

_PARAGRAPH = re.compile(r"<w:p([ >])")
_PROPERTIES = ("author", "comments", "identifier", "language", "subject", "title")
_TAGS = r"(?:<[^>]*>)*"
# The library's signs for rich text. What is inserted here is data, and would stand outside of any
# run, where no word processor shows it.
_RICH = re.compile(
    rf"(\{{{_TAGS}\{{{_TAGS})(?:t{_TAGS}r|t{_TAGS}c|p|r)(?={_TAGS}\s)",
)
_TABLE = re.compile(r"<w:tbl[ >]")
_EMPTY_PROPERTIES = re.compile(r"<w:tcPr\s*/>")
_BARE_CELL = re.compile(r"(<w:tc(?: [^>]*)?>)(?!\s*<w:tcPr)")
_NOTES = (".footnotes+xml", ".endnotes+xml", ".comments+xml")
_DRAWINGS = (".chart+xml", ".diagramData+xml", ".ms-office.drawingml.diagramDrawing+xml")
_LISTED_PROPERTIES = (".custom-properties+xml", ".extended-properties+xml")
_BRACES = re.compile(r"(?<=\{)(?:<[^>]*>)+(?=[{%#])|(?<=[%}#])(?:<[^>]*>)+(?=\})")
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BETWEEN_RUNS = re.compile(r"</a:t>.*?<a:t(?: [^>]*)?>", re.DOTALL)
_ENCODED = re.compile(r"%7b(%7b|%25)", re.IGNORECASE)
# What word processors write before an address that does not look like one.
_GUESSED = re.compile(r"^https?://(?=\{)|(?<=\})/$", re.IGNORECASE)
_URL_SIGNS = "%/:?#[]@!$&'()*+,;=~"
_SCHEMES = frozenset({"http", "https", "mailto", "tel", ""})


class _Engine(Protocol):
    def from_string(self, source: str) -> Any: ...


class WordTemplate(DocxTemplate):  # type: ignore[misc]
    """A DOCX template that is read and filled as a whole."""

    def sources(self) -> Iterator[str]:
        """Every text that is a template, one paragraph a line."""
        package = self.get_docx().part.package
        xmls = [self.get_xml()]
        for uri in (self.HEADER_URI, self.FOOTER_URI):
            xmls += [self.get_part_xml(part) for _, part in self.get_headers_footers(uri)]
        xmls += [_text(part) for part in _of_kinds(package, _NOTES)]
        for xml in xmls:
            # So that an error's line is its paragraph.
            yield _PARAGRAPH.sub(r"\n<w:p\1", self.patch_xml(xml))
        for part in _of_kinds(package, (*_DRAWINGS, *_LISTED_PROPERTIES)):
            yield _join_expressions(_text(part))
        for relation in _links(package):
            yield _target(relation)
        for name in _PROPERTIES:
            yield str(getattr(self.core_properties, name))

    def fill(self, data: dict[str, Any], engine: _Engine, links: _Engine) -> None:
        """Fill in everything.

        Args:
            links: fills in the targets of links, where nothing is XML.
        """
        package = self.get_docx().part.package
        _unbind(package)
        for relation in _links(package):
            relation._target = address(links.from_string(_target(relation)).render(data))
        self.render(data, jinja_env=engine, autoescape=True)
        for part in _of_kinds(package, _NOTES[1:]):
            xml = self.patch_xml(_text(part))
            _replace(part, self.render_xml_part(xml, part, data, engine))
        for part in _of_kinds(package, (*_DRAWINGS, *_LISTED_PROPERTIES)):
            _replace(part, engine.from_string(_join_expressions(_text(part))).render(data))

    def fix_tables(self, xml: str) -> Any:
        # The library counts the columns of a grid, which word processors do without.
        if xml.count("<w:tblGrid") < len(_TABLE.findall(xml)):
            root = parse_xml(xml)
            for table in root.iter(qn("w:tbl")):
                if table.find(qn("w:tblGrid")) is None:
                    about = table.find(qn("w:tblPr"))
                    table.insert(0 if about is None else 1, OxmlElement("w:tblGrid"))
            xml = serialize_part_xml(root).decode().partition("?>")[2]
        return super().fix_tables(xml)

    def patch_xml(self, src_xml: str) -> str:
        # The library writes what it merges and colours into the properties of a cell.
        src_xml = _EMPTY_PROPERTIES.sub("<w:tcPr></w:tcPr>", src_xml)
        src_xml = _BARE_CELL.sub(r"\1<w:tcPr></w:tcPr>", src_xml)
        return str(super().patch_xml(_RICH.sub(r"\1", src_xml)))


def _of_kinds(package: Any, endings: tuple[str, ...]) -> list[Any]:
    return [part for part in package.parts if part.content_type.endswith(endings)]


def _unbind(package: Any) -> None:
    """Have content controls show what is filled in.

    Those that are bound to data of the document's own show these instead, as soon as it is opened.
    """
    for part in package.parts:
        for control in part._element.iter(qn("w:sdt")) if hasattr(part, "_element") else ():
            bindings = list(control.iterfind(f"{qn('w:sdtPr')}/*"))
            if "{" not in "".join(control.itertext(qn("w:t"))):
                continue
            for binding in bindings:
                if binding.tag.rpartition("}")[2] == "dataBinding":
                    binding.getparent().remove(binding)


def _text(part: Any) -> str:
    # Whatever encoding it had: from here on it is text.
    root = part._element if hasattr(part, "_element") else parse_xml(part.blob)
    return str(serialize_part_xml(root).decode().partition("?>")[2])


def _replace(part: Any, xml: str) -> None:
    if hasattr(part, "_element"):
        part._element = parse_xml(xml)
    else:
        part._blob = xml.encode()


def _join_expressions(xml: str) -> str:
    """A drawing's text, with each expression in one piece."""
    return _EXPRESSION.sub(lambda match: _BETWEEN_RUNS.sub("", match.group()), _BRACES.sub("", xml))


def _links(package: Any) -> Iterator[Any]:
    for part in package.parts:
        for relation in part.rels.values():
            if relation.is_external and relation.reltype.endswith("/hyperlink"):
                target = relation._target
                if _EXPRESSION.search(unquote(target) if _ENCODED.search(target) else target):
                    yield relation


def _target(relation: Any) -> str:
    target = str(relation._target)
    return _GUESSED.sub("", unquote(target) if _ENCODED.search(target) else target)


def address(text: str) -> str:
    """What a link leads to that data says.

    Raises:
        TemplateProblem: it is no address, or none that a document may lead to.
    """
    written = quote(text.strip(), safe=_URL_SIGNS)
    try:
        scheme = urlsplit(written).scheme
    except ValueError as error:
        raise TemplateProblem(
            f"a link would lead to '{text[:100]}', which is no address"
        ) from error
    if scheme not in _SCHEMES:
        raise TemplateProblem(
            f"a link would lead to '{text[:100]}'; http, https, mailto and tel are allowed"
        )
    return written
