"""Jinja templates in DOCX and Markdown: which names they take, and filling them in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docxtpl import DocxTemplate
from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from automations.adapters.documents.problems import TemplateProblem
from automations.domain.templating import text_of

_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r\n?")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_PARAGRAPH = re.compile(r"<w:p([ >])")
_MISSING = re.compile(r"has no (?:attribute|element) '?([^']+)'?|'([^']+)' is undefined")
_PROPERTIES = ("author", "comments", "identifier", "language", "subject", "title")
_OTHER_TEMPLATES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with data before methods: ``submission.items`` is the field of that name."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _as_text(value: Any) -> Any:
    text = text_of(value)
    return value if text is None else text


def _as_markdown(value: Any) -> Any:
    text = _as_text(value)
    if isinstance(text, Markup):
        return text
    escaped = _PUNCTUATION.sub(r"\\\1", re.sub(r"[ \t]+", " ", str(text)))
    return Markup(escaped.replace("\n", "\\\n"))


def _environment(template_format: str) -> _Environment:
    environment = _Environment(
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_as_text if template_format == "docx" else _as_markdown,
        keep_trailing_newline=True,
    )
    del environment.globals["lipsum"]
    return environment


def placeholders(template_format: str, template: Path) -> list[str]:
    """The dotted names that a template takes from outside.

    Raises:
        TemplateProblem: the syntax is wrong; quotes the place.
    """
    environment = _environment(template_format)
    outside: set[str] = set()
    for tree in _trees(environment, template_format, template):
        roots = find_undeclared_variables(tree)
        outside |= {name for name in _names(tree) if name.partition(".")[0] in roots}
    return sorted(outside)


def fill_docx(template: Path, data: dict[str, Any], result: Path) -> None:
    """Fill in a DOCX template."""
    environment = _environment("docx")
    document = DocxTemplate(template)
    try:
        document.render(_clean(data), jinja_env=environment, autoescape=True)
    except TemplateError as error:
        raise _explained(error, environment, "docx", template) from error
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateProblem(f"the template cannot be filled in: {error}") from error
    _forget_attached_template(document.docx)
    document.save(result)


def fill_markdown(template: Path, data: dict[str, Any]) -> str:
    """Fill in a Markdown template; what is inserted stays text, whatever marks it holds."""
    environment = _environment("markdown")
    try:
        return environment.from_string(_text(template)).render(_clean(data))
    except TemplateError as error:
        raise _explained(error, environment, "markdown", template) from error
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateProblem(f"the template cannot be filled in: {error}") from error


def _text(template: Path) -> str:
    try:
        return template.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateProblem("is not UTF-8 text") from error


def _trees(
    environment: _Environment, template_format: str, template: Path
) -> Iterator[nodes.Template]:
    sources = [_text(template)] if template_format == "markdown" else _docx_sources(template)
    for source in sources:
        try:
            tree = environment.parse(source)
        except TemplateSyntaxError as error:
            place = source.splitlines()[error.lineno - 1] if error.lineno else ""
            near = re.sub(r"<[^>]*>", "", place).strip()[:200]
            raise TemplateProblem(f"template syntax: {error.message} (near '{near}')") from error
        _refuse_other_templates(tree)
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


def _refuse_other_templates(tree: nodes.Template) -> None:
    for _ in tree.find_all(_OTHER_TEMPLATES):
        raise TemplateProblem("template syntax: a template cannot take in another one")
    for node in tree.find_all(nodes.Getattr):
        if node.attr.startswith("_"):
            raise TemplateProblem(f"template syntax: '{node.attr}' is not allowed")


def _names(tree: nodes.Node) -> set[str]:
    found: set[str] = set()
    left = [tree]
    while left:
        node = left.pop()
        name = _dotted(node)
        if name is None:
            left.extend(node.iter_child_nodes())
        else:
            found.add(name)
    return found


def _dotted(node: nodes.Node) -> str | None:
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            before = _dotted(node.node)
            return None if before is None else f"{before}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=str(key))):
            before = _dotted(node.node)
            return None if before is None else f"{before}.{key}"
        case _:
            return None


def _explained(
    error: TemplateError, environment: _Environment, template_format: str, template: Path
) -> TemplateProblem:
    missing = _MISSING.search(error.message or "") if isinstance(error, UndefinedError) else None
    if missing is None:
        return TemplateProblem(f"the template cannot be filled in: {error.message or error}")
    last = missing.group(1) or missing.group(2)
    names: set[str] = set()
    for tree in _trees(environment, template_format, template):
        names |= {name for name in _names(tree) if last in name.split(".")}
    listed = ", ".join(f"'{name}'" for name in sorted(names)[:5]) or f"'{last}'"
    return TemplateProblem(f"the template names {listed}, which is not there in the data")


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
