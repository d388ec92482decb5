"""User templates: minijinja, bounded by fuel, given plain JSON only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import minijinja
from pydantic import BaseModel

from automations.domain.fields import AsWritten, Html, is_template
from automations.errors import TemplateError
from automations.kit.values import JSON

_FUEL = 200_000
_MAX_LENGTH = 1_000_000
_SINGLE = re.compile(r"\A\s*\{\{(?!-)((?:(?!\{\{|\}\}|\{%).)*)(?<!-)\}\}\s*\Z", re.DOTALL)


def text_of(value: Any) -> str | None:
    """How a template shows what engines show in Python's words; None for all else."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return None


def _finalized(value: Any) -> Any:
    text = text_of(value)
    return NotImplemented if text is None else text


def _environment() -> minijinja.Environment:
    environment = minijinja.Environment(
        fuel=_FUEL,
        undefined_behavior="strict",
        # Without Python's methods: str.format makes gigabytes that no fuel counts.
        pycompat=False,
        finalizer=_finalized,
        keep_trailing_newline=True,
        auto_escape_callback=lambda name: "html" if name == "html" else None,
    )
    environment.remove_global("debug")
    return environment


_ENVIRONMENT = _environment()


def render(
    value: JSON,
    names: Mapping[str, JSON],
    *,
    where: str,
    missing_ok: bool = False,
    html: bool = False,
) -> JSON:
    """A value with every text in it rendered; a text that is one expression keeps its type.

    Args:
        where: the step and field, named in the error.
        missing_ok: whether one expression that names something missing gives None.

    Raises:
        TemplateError: a name is missing, the syntax is wrong, or a bound was reached.
    """
    if isinstance(value, dict):
        return {
            key: render(item, names, where=f"{where}.{key}", missing_ok=missing_ok, html=html)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            render(item, names, where=f"{where}.{index}", missing_ok=missing_ok, html=html)
            for index, item in enumerate(value)
        ]
    if not is_template(value):
        return value
    single = _SINGLE.match(value)
    if single and not html:
        return evaluate(single.group(1), names, where=where, missing_ok=missing_ok)
    try:
        text = _ENVIRONMENT.render_str(value, "html" if html else "text", **names)
    except minijinja.TemplateError as error:
        raise _explain(error, where) from error
    if len(text) > _MAX_LENGTH:
        raise TemplateError(f"{where}: the rendered text is longer than {_MAX_LENGTH} characters")
    return text


def evaluate(
    expression: str, names: Mapping[str, JSON], *, where: str, missing_ok: bool = False
) -> JSON:
    """The value of one expression.

    Raises:
        TemplateError: as ``render``.
    """
    try:
        value = _ENVIRONMENT.eval_expr(expression, **names)
        # The engine gives None for an undefined last name, strict or not.
        if value is None and _ENVIRONMENT.eval_expr(f"({expression}) is undefined", **names):
            if missing_ok:
                return None
            raise TemplateError(f"{where}: '{expression.strip()}' is not there in this run")
    except minijinja.TemplateError as error:
        if missing_ok and error.kind == "UndefinedError":
            return None
        raise _explain(error, where) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise TemplateError(f"{where}: the result is not a finite number")
    return value


def render_config(
    config: BaseModel,
    names: Mapping[str, JSON],
    *,
    where: str,
    by: Callable[..., JSON] = render,
) -> dict[str, JSON]:
    """A step's config as JSON with its templates rendered, to be validated again.

    Fields marked ``AsWritten`` are kept as they are, those marked ``Html`` are escaped.

    Args:
        by: renders one value, as ``render`` does.
    """
    rendered: dict[str, JSON] = {}
    written = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for name, info in type(config).model_fields.items():
        key = info.alias or name
        if key not in written:
            continue
        if any(isinstance(mark, AsWritten) for mark in info.metadata):
            rendered[key] = written[key]
        else:
            html = any(isinstance(mark, Html) for mark in info.metadata)
            rendered[key] = by(written[key], names, where=f"{where}, config.{key}", html=html)
    return rendered


def _explain(error: minijinja.TemplateError, where: str) -> TemplateError:
    text = (
        str(error).splitlines()[0].replace(" (in <expression>:1)", "").replace(" (in text:1)", "")
    )
    return TemplateError(f"{where}: {text}")


def undeclared(text: str) -> set[str]:
    """The names that a template takes from outside, with their attributes: ``submission.email``."""
    return _ENVIRONMENT.undeclared_variables_in_str(text, nested=True)
