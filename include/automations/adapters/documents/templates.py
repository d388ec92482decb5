"""Jinja templates in DOCX and Markdown: finds their names, and fills them in."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docx.opc.oxml import parse_xml, serialize_part_xml
from docx.oxml.ns import qn
from jinja2 import nodes
from markupsafe import Markup

from automations.adapters.documents.problems import TemplateProblem
from automations.adapters.documents.word_template import WordTemplate
from automations.domain.template_language import grammar, names, values
from automations.domain.template_language.evaluation import Evaluation, Write
from automations.domain.template_language.faults import (
    InvalidTemplate,
    MissingName,
    TemplateFault,
)
from automations.domain.template_language.meter import Meter
from automations.domain.templating import write_escaped

_BOUNDS = grammar.Bounds(length=50_000_000, tokens=50_000)
_MAX_WORK = 5_000_000
"""Units of the meter: some seconds, long before the process is ended, and with words that help."""
_MAX_PART = 50_000_000
"""Characters of one part of a document: as much as a package may hold."""
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r\n?")
# Characters that are none: a text never holds them, and no program drops them.
_NONCHARACTERS = [
    *map(chr, range(0xFDD0, 0xFDF0)),
    *(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF)),
]
_MEANT_BY_MARKDOWN = f"{string.punctuation} \n"


class _Engine:
    """Fills in templates as docxtpl asks for it: all parts of a document on one meter.

    Args:
        write: how what is inserted becomes text.
    """

    autoescape = True

    def __init__(self, write: Write) -> None:
        self._write = _refuse_loss(write)
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


@dataclass(frozen=True, slots=True)
class FilledMarkdown:
    """A text in Markdown.

    Args:
        stand_ins: what stands in the text for characters of the data, by those that are meant.
            Markdown has no way to write them that holds everywhere: none for a line break in a
            table's cell, and none at all for any sign in code.
    """

    text: str
    stand_ins: Mapping[str, str]


def _refuse_loss(write: Write) -> Write:
    """The same, where nothing is left out: what no document can hold is refused."""

    def write_whole(value: Any, meter: Meter) -> str:
        text = write(value, meter)
        match = _NO_XML.search(text)
        if match is not None:
            shown = _NO_XML.sub("\ufffd", text[max(match.start() - 20, 0) : match.end() + 20])
            raise TemplateFault(
                f"'{shown}' holds the character U+{ord(match.group()):04X}, which no document can "
                "hold; the filter replace takes it out"
            )
        return text

    return write_whole


def _as_markdown(stand_ins: Mapping[str, str]) -> Write:
    table = str.maketrans({**stand_ins, "\t": stand_ins[" "]})

    def write(value: Any, meter: Meter) -> str:
        if isinstance(value, Markup):
            return value
        return Markup(values.text(value, meter).translate(table))

    return write


def placeholders(template_format: str, template: Path) -> list[str]:
    """The dotted names that a template takes from outside.

    Raises:
        TemplateProblem: the syntax is wrong; quotes the place.
    """
    trees = _trees(template_format, template)
    return sorted({".".join(path) for tree in trees for path in names.data_paths(tree)})


def fill_docx(template: Path, data: dict[str, Any], result: Path) -> None:
    """Fill in a DOCX template."""
    document = WordTemplate(template)
    with _explain_faults():
        document.fill(_clean(data), _Engine(write_escaped), _Engine(values.text))
    _forget_attached_template(document.docx)
    document.save(result)


def fill_markdown(template: Path, data: dict[str, Any]) -> FilledMarkdown:
    """Fill in a Markdown template; what is inserted stays text, whatever marks it holds."""
    text, data = _text(template), _clean(data)
    held = {*text, *json.dumps(data, ensure_ascii=False)}
    free = [mark for mark in _NONCHARACTERS if mark not in held]
    if len(free) < len(_MEANT_BY_MARKDOWN):
        raise TemplateProblem("template or data hold too many of the characters that are none")
    stand_ins = dict(zip(_MEANT_BY_MARKDOWN, free, strict=False))
    with _explain_faults():
        filled = _Engine(_as_markdown(stand_ins)).from_string(text).render(data)
    return FilledMarkdown(filled, stand_ins)


@contextmanager
def _explain_faults() -> Iterator[None]:
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
    sources = (
        [_text(template)] if template_format == "markdown" else WordTemplate(template).sources()
    )
    for source in sources:
        try:
            tree = grammar.parse(source, _BOUNDS)
        except InvalidTemplate as fault:
            place = source.splitlines()[fault.line - 1] if fault.line else ""
            near = re.sub(r"<[^>]*>", "", place).strip()[:200]
            kind = "" if fault.problem.startswith("syntax") else ": "
            raise TemplateProblem(
                f"template{kind or ' '}{fault.problem} (near '{near}')"
            ) from fault
        for node in tree.find_all(nodes.Getattr):
            if node.attr.startswith("__"):
                raise TemplateProblem(f"template syntax: '{node.attr}' is not allowed")
        yield tree


def _clean(value: Any) -> Any:
    """Data with one kind of line break."""
    if isinstance(value, str):
        return _BREAK.sub("\n", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return value


def _forget_attached_template(document: Any) -> None:
    """Leave out where a template lay, in the settings of the document and of its glossary."""
    for part in document.part.package.parts:
        for key, relation in list(part.rels.items()):
            if relation.is_external and not relation.reltype.endswith("/hyperlink"):
                del part.rels[key]
        if part.content_type.endswith(".settings+xml"):
            root = part._element if hasattr(part, "_element") else parse_xml(part.blob)
            for element in root.findall(qn("w:attachedTemplate")):
                root.remove(element)
            if not hasattr(part, "_element"):
                part._blob = serialize_part_xml(root)
