"""Jinja templates in DOCX and Markdown: which names they take, and filling them in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docxtpl import DocxTemplate
from jinja2 import nodes
from markupsafe import Markup

from automations.adapters.documents.problems import TemplateProblem
from automations.domain.template_language import grammar, names, values
from automations.domain.template_language.evaluation import Evaluation, Write
from automations.domain.template_language.faults import (
    InvalidTemplate,
    MissingName,
    TemplateFault,
)
from automations.domain.template_language.meter import Meter
from automations.domain.templating import escaped

_BOUNDS = grammar.Bounds(length=50_000_000, tokens=50_000)
_MAX_WORK = 5_000_000
_MAX_PART = 50_000_000
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r\n?")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_PARAGRAPH = re.compile(r"<w:p([ >])")
_PROPERTIES = ("author", "comments", "identifier", "language", "subject", "title")


class _Engine:
    """Fills in templates as docxtpl asks for it: all parts of a document on one meter.

    Args:
        write: how what is inserted becomes text.
    """

    autoescape = True

    def __init__(self, write: Write) -> None:
        self._write = write
        self._meter = Meter(_MAX_WORK, _MAX_PART)

    def from_string(self, source: str) -> _Template:
        return _Template(source, self._write, self._meter)


class _Template:
    def __init__(self, source: str, write: Write, meter: Meter) -> None:
        self._tree = grammar.parse(source, _BOUNDS)
        self._write = write
        self._meter = meter

    def render(self, data: dict[str, Any]) -> str:
        return Evaluation(data, self._meter, self._write, markup=True).text(self._tree)


def _as_markdown(value: Any, meter: Meter) -> str:
    if isinstance(value, Markup):
        return value
    escaped = _PUNCTUATION.sub(r"\\\1", re.sub(r"[ \t]+", " ", values.text(value, meter)))
    return Markup(escaped.replace("\n", "\\\n"))


def placeholders(template_format: str, template: Path) -> list[str]:
    """The dotted names that a template takes from outside.

    Raises:
        TemplateProblem: the syntax is wrong; quotes the place.
    """
    trees = _trees(template_format, template)
    return sorted({".".join(path) for tree in trees for path in names.outside(tree)})


def fill_docx(template: Path, data: dict[str, Any], result: Path) -> None:
    """Fill in a DOCX template."""
    document = DocxTemplate(template)
    with _explained():
        document.render(_clean(data), jinja_env=_Engine(escaped), autoescape=True)
    _forget_attached_template(document.docx)
    document.save(result)


def fill_markdown(template: Path, data: dict[str, Any]) -> str:
    """Fill in a Markdown template; what is inserted stays text, whatever marks it holds."""
    with _explained():
        return _Engine(_as_markdown).from_string(_text(template)).render(_clean(data))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except MissingName as fault:
        raise TemplateProblem(
            f"the template names '{fault.name}', which is not there in the data"
        ) from fault
    except TemplateFault as fault:
        raise TemplateProblem(f"the template cannot be filled in: {fault}") from fault


def _text(template: Path) -> str:
    try:
        return template.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateProblem("is not UTF-8 text") from error


def _trees(template_format: str, template: Path) -> Iterator[nodes.Template]:
    sources = [_text(template)] if template_format == "markdown" else _docx_sources(template)
    for source in sources:
        try:
            tree = grammar.parse(source, _BOUNDS)
        except InvalidTemplate as fault:
            place = source.splitlines()[fault.line - 1] if fault.line else ""
            near = re.sub(r"<[^>]*>", "", place).strip()[:200]
            raise TemplateProblem(f"template {fault.problem} (near '{near}')") from fault
        for node in tree.find_all(nodes.Getattr):
            if node.attr.startswith("__"):
                raise TemplateProblem(f"template syntax: '{node.attr}' is not allowed")
        yield tree


def _docx_sources(template: Path) -> Iterator[str]:
    document = DocxTemplate(template)
    package = document.get_docx()
    xmls = [document.get_xml()]
    for uri in (document.HEADER_URI, document.FOOTER_URI):
        xmls += [document.get_part_xml(part) for _, part in document.get_headers_footers(uri)]
    xmls += [
        part.blob.decode()
        for part in package.part.package.parts
        if part.content_type.endswith(".wordprocessingml.footnotes+xml")
    ]
    for xml in xmls:
        # One paragraph a line, so that an error's line is its paragraph.
        yield _PARAGRAPH.sub(r"\n<w:p\1", document.patch_xml(xml))
    for name in _PROPERTIES:
        yield str(getattr(package.core_properties, name))


def _clean(value: Any) -> Any:
    """Data without the characters that no XML can hold, and with one kind of line break."""
    if isinstance(value, str):
        return _NO_XML.sub("", _BREAK.sub("\n", value))
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return value


def _forget_attached_template(document: Any) -> None:
    for element in document.settings.element.xpath("./w:attachedTemplate"):
        element.getparent().remove(element)
    for part in document.part.package.parts:
        if part.content_type.endswith(".settings+xml"):
            for key in [key for key, relation in part.rels.items() if relation.is_external]:
                del part.rels[key]
