"""Renders the templates of users from plain JSON, within bounds, with the place in every error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from jinja2 import nodes
from markupsafe import Markup, escape
from pydantic import BaseModel

from automations.domain import mrkdwn
from automations.domain.fields import AsWritten, Blocks, Html, Mrkdwn, is_template
from automations.domain.template_language import grammar, values
from automations.domain.template_language import names as template_names
from automations.domain.template_language.evaluation import Evaluation
from automations.domain.template_language.faults import MissingName, TemplateFault
from automations.domain.template_language.meter import Meter
from automations.errors import TemplateError
from automations.kit.values import JSON


class Kind(Enum):
    """The kind of text that a template is part of: it decides on escaping and on comparison."""

    PLAIN = None
    HTML = Html
    MRKDWN = Mrkdwn
    BLOCKS = Blocks
    CONDITION = "condition"


def render(
    value: JSON,
    names: Mapping[str, JSON],
    *,
    where: str,
    missing_ok: bool = False,
    kind: Kind = Kind.PLAIN,
    meter: Meter | None = None,
) -> JSON:
    """Render every text in a value; a text that is a single expression keeps the result's type.

    Args:
        where: the step and field, named in the error.
        missing_ok: whether a single expression that names something missing becomes None.
        meter: shared by everything that is rendered together.

    Raises:
        TemplateError: a name is missing, the syntax is wrong, or a limit was reached.
    """
    meter = meter or Meter()

    def inside(item: JSON, place: str, kind: Kind = kind) -> JSON:
        return render(item, names, where=place, missing_ok=missing_ok, kind=kind, meter=meter)

    if isinstance(value, dict):
        kinds = {key: _inside(kind, value, key) for key in value}
        return {key: inside(item, f"{where}.{key}", kinds[key]) for key, item in value.items()}
    if isinstance(value, list):
        return [inside(item, f"{where}.{index}") for index, item in enumerate(value)]
    if not is_template(value):
        return value
    slack = kind in (Kind.MRKDWN, Kind.BLOCKS)
    try:
        tree = grammar.parse(value)
        write = _WRITERS.get(kind)
        single = None if write else _single(value, tree)
        if single is None:
            evaluation = Evaluation(
                names, meter, write or values.text, markup=write is not None, mrkdwn=slack
            )
            return evaluation.text(tree)
        evaluation = Evaluation(
            names, meter, markup=slack, mrkdwn=slack, as_rules=kind is Kind.CONDITION
        )
        try:
            result = evaluation.value(single)
            return mrkdwn.escape_blocks(result, meter) if slack else result
        except MissingName:
            if missing_ok:
                return None
            raise
    except TemplateFault as error:
        raise TemplateError(f"{where}: {error}") from error


def render_key(text: str, names: Mapping[str, JSON], meter: Meter) -> JSON:
    """Render a text like ``render``, but with missing parts left out.

    Returns None if the result has nothing but the template's own words (including what ``join`` or
    ``+`` puts between values), if it is null or empty, or if it cannot be rendered at all.
    """
    if not is_template(text):
        return text
    try:
        tree = grammar.parse(text)
        evaluation = Evaluation(names, meter, gaps=True)
        single = _single(text, tree)
        result = evaluation.text(tree) if single is None else evaluation.value(single)
    except TemplateFault:
        return None
    gaps = evaluation.gaps
    return None if result == "" or {False} in (gaps.inserted, gaps.given) else result


def _inside(kind: Kind, value: Mapping[str, JSON], key: str) -> Kind:
    return Kind.MRKDWN if kind is Kind.BLOCKS and mrkdwn.is_text(value, key) else kind


def _single(text: str, tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a template that consists of a single one; otherwise None."""
    text = text.strip()
    if not text.startswith("{{") or text.startswith("{{-") or not text.endswith("}}"):
        return None
    if text.endswith("-}}") or len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    inserted = [node for node in tree.body[0].nodes if not isinstance(node, nodes.TemplateData)]
    around = (node for node in tree.body[0].nodes if isinstance(node, nodes.TemplateData))
    if len(inserted) != 1 or any(node.data.strip() for node in around):
        return None
    return inserted[0]


def write_escaped(value: Any, meter: Meter) -> str:
    """Escape a value for HTML or XML."""
    if isinstance(value, Markup):
        return value
    text = escape(values.text(value, meter))
    meter.text(len(text))
    return text


_WRITERS = {Kind.HTML: write_escaped, Kind.MRKDWN: mrkdwn.write_escaped}


def render_config(
    config: BaseModel,
    names: Mapping[str, JSON],
    *,
    where: str,
    by: Callable[..., JSON] = render,
    already_rendered: Mapping[str, JSON] = MappingProxyType({}),
) -> dict[str, JSON]:
    """Render the templates in a step's config; returns JSON that must be validated again.

    Fields marked ``AsWritten`` are left as they are; in fields marked with a kind, what is inserted
    is escaped for that.

    Args:
        by: renders one value, like ``render``.
        already_rendered: fields that were rendered before, which are taken as they are.
    """
    rendered: dict[str, JSON] = {}
    written = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for name, info in type(config).model_fields.items():
        key = info.alias or name
        if key not in written:
            continue
        if key in already_rendered:
            rendered[key] = already_rendered[key]
        elif any(isinstance(mark, AsWritten) for mark in info.metadata):
            rendered[key] = written[key]
        else:
            kind = next((kind for kind in Kind if _has(info.metadata, kind)), Kind.PLAIN)
            rendered[key] = by(written[key], names, where=f"{where}, config.{key}", kind=kind)
    return rendered


def _has(marks: list[Any], kind: Kind) -> bool:
    return isinstance(kind.value, type) and any(isinstance(mark, kind.value) for mark in marks)


def names_in(text: str) -> set[tuple[str, ...]]:
    """The names that a template takes from its data, with their paths: ``submission.email``.

    Raises:
        ValueError: it is no template; says why.
    """
    return template_names.data_paths(grammar.parse(text))


def size_of(text: str) -> int:
    """The number of nodes in a template's tree, which is the cost of parsing it."""
    return sum(1 for _ in grammar.parse(text).find_all(nodes.Node))
