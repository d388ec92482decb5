"""The fields of a model's JSON schema, as inputs that people fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from api_bridge.console.views.input_schemas import KINDS
from automations.definitions.model import Definition, StepBase
from automations.definitions.triggers import FILTERS, TRIGGERS
from automations.steps.base import Subject
from automations.steps.registry import STEP_TYPES

_LONG = {
    "body", "html", "message", "prompt", "system", "text", "description", "expression", "code",
}  # fmt: skip
_AS_CODE = {"code", "html", "expression"}
_WHOLE = {"schema", "inputSchema", "filter", "blocks"}
"""Objects whose keys are no names that people give."""
_FILTERED = {
    "filterFormId": Subject.FORM,
    "filterTableId": Subject.TABLE,
    "filterMatterTemplateId": Subject.BOARD,
    "formId": Subject.FORM,
    "workflowId": Subject.AUTOMATION,
    "errorWorkflowId": Subject.AUTOMATION,
}
_TYPED = {"", Subject.DOCUMENT, Subject.MEMBER, Subject.ROW}
"""Of what is named, what nobody chooses from a list."""
_OFTEN = {"approvers", "data", "description", "duration", "match", "rules", "userIds", "variables"}
"""Fields that are shown at once, though a step can do without."""
_SELDOM = {"expression", "amount", "unit"}
"""Fields that are in examples, but are other ways of what is shown."""
_APART = {"trigger", "steps", "formId"}
"""Fields of a definition that have places of their own."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One field, whatever is in it.

    Args:
        path: from the step, the trigger or the definition on: ``config.url``.
        control: text, area, code, number, boolean, choice, suggested, ways, list, pairs, rules,
            inputs, value, reference, secret or group.
        subject: what a reference is to.
        first: whether it is shown at once, also while it is empty.
        inside: the fields of a group.
    """

    path: str
    key: str
    label: str
    hint: str
    control: str
    required: bool = False
    options: Sequence[str] = ()
    default: Any = None
    placeholder: str = ""
    subject: str = ""
    first: bool = False
    inside: Sequence[Spec] = ()


@lru_cache(maxsize=64)
def step_specs(kind: str) -> Sequence[Spec]:
    """What a step of a type is configured by."""
    step_type = STEP_TYPES[kind]
    apart = {*step_type.arms, *step_type.body} - {"onReject"}
    specs = [
        spec
        for spec in model_specs(step_type.Config, "config.", step_type.example)
        if spec.key not in apart
    ]
    return [
        _with_subject(spec, step_type.refers_to.get(_python_name(step_type.Config, spec.key), ""))
        for spec in specs
    ]


@lru_cache(maxsize=1)
def common_specs() -> Sequence[Spec]:
    """What all steps have, beside their name: what happens when they fail."""
    keys = ("retry", "timeout", "onError")
    by_key = {spec.key: spec for spec in model_specs(StepBase, "", {})}
    return [by_key[key] for key in keys]


@lru_cache(maxsize=8)
def trigger_specs(kind: str) -> Sequence[Spec]:
    """What a trigger of a type is configured by."""
    return [spec for spec in model_specs(TRIGGERS[kind], "trigger.", {}) if spec.key != "type"]


@lru_cache(maxsize=1)
def settings_specs() -> Sequence[Spec]:
    """What an automation has beside its trigger and its steps."""
    return [spec for spec in model_specs(Definition, "", {}) if spec.key not in _APART]


def model_specs(model: Any, prefix: str, example: Mapping[str, Any]) -> list[Spec]:
    """The fields of a model.

    Args:
        prefix: of their paths.
        example: what has them; its texts are shown where nothing is typed.
    """
    schema = model.model_json_schema(by_alias=True)
    defs = schema.get("$defs", {})
    if "$ref" in schema:
        schema = _resolve(schema, defs)
    return list(_of_schema(schema, defs, prefix, example))


def _of_schema(
    schema: Mapping[str, Any],
    defs: Mapping[str, Any],
    prefix: str,
    example: Mapping[str, Any],
) -> Iterator[Spec]:
    required = schema.get("required", ())
    for key, property_schema in schema.get("properties", {}).items():
        yield _spec(key, property_schema, defs, prefix, key in required, example)


def _spec(
    key: str,
    schema: Mapping[str, Any],
    defs: Mapping[str, Any],
    prefix: str,
    required: bool,
    example: Mapping[str, Any],
) -> Spec:
    kinds = [_resolve(alternative, defs) for alternative in _alternatives(schema)]
    control, options, inside = _control(key, kinds, defs, f"{prefix}{key}.")
    subject = _FILTERED.get(key, "")
    if subject:
        control = "reference"
    if prefix == "trigger." and key == "triggerType":
        control, options = "suggested", list(FILTERS)
    if prefix == "trigger." and key == "inputSchema":
        control, options = "inputs", list(KINDS)
    if prefix == "trigger." and key == "secret":
        control = "secret"
    shown = example.get(key)
    return Spec(
        path=f"{prefix}{key}",
        key=key,
        label=_label(key),
        hint=str(schema.get("description") or ""),
        control=control,
        required=required,
        options=options,
        default=schema.get("default"),
        placeholder=shown if isinstance(shown, str) and "\n" not in shown else "",
        subject=str(subject),
        first=key not in _SELDOM
        and (required or key in example or prefix == "trigger." or key in _OFTEN),
        inside=inside,
    )


def _control(
    key: str, kinds: Sequence[Mapping[str, Any]], defs: Mapping[str, Any], prefix: str
) -> tuple[str, Sequence[str], Sequence[Spec]]:
    enum = next((kind["enum"] for kind in kinds if "enum" in kind), None)
    arrays = [kind for kind in kinds if kind.get("type") == "array"]
    if enum is not None:
        return ("ways" if arrays else "choice"), [str(choice) for choice in enum], ()
    types = {kind.get("type") for kind in kinds}
    if "boolean" in types:
        return "boolean", (), ()
    if arrays:
        items = [
            _resolve(alternative, defs) for alternative in _alternatives(arrays[0].get("items", {}))
        ]
        if any("operator" in item.get("properties", {}) for item in items):
            return "rules", (), ()
        plain = items and all(item.get("type") in ("string", "integer", "number") for item in items)
        return ("list" if plain else "value"), (), ()
    if "object" in types:
        return _of_object(key, kinds, defs, prefix)
    if types & {"integer", "number"}:
        return "number", (), ()
    if "string" in types:
        long = "code" if key in _AS_CODE else "area"
        return (long if key in _LONG else "text"), (), ()
    return "value", (), ()


def _of_object(
    key: str, kinds: Sequence[Mapping[str, Any]], defs: Mapping[str, Any], prefix: str
) -> tuple[str, Sequence[str], Sequence[Spec]]:
    schema = next(kind for kind in kinds if kind.get("type") == "object")
    if "properties" not in schema:
        return ("value" if key in _WHOLE else "pairs"), (), ()
    inside = list(_of_schema(schema, defs, prefix, {}))
    simple = {"text", "area", "number", "boolean", "choice", "list"}
    if all(spec.control in simple for spec in inside):
        return "group", (), inside
    return "value", (), ()


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    alternatives = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [alternative for alternative in alternatives if alternative.get("type") != "null"]


def _resolve(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    ref = schema.get("$ref")
    return schema if ref is None else defs[str(ref).rpartition("/")[2]]


def _label(key: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).lower()
    words = re.sub(r" id\b", "", words)
    words = re.sub(r"\bconn\b", "connection", words)
    words = re.sub(r"\b(html|url|dag)\b", lambda match: match[0].upper(), words)
    return words[:1].upper() + words[1:]


def _python_name(model: Any, alias: str) -> str:
    return next(
        (name for name, info in model.model_fields.items() if (info.alias or name) == alias), alias
    )


def _with_subject(spec: Spec, subject: str) -> Spec:
    if subject in _TYPED:
        return spec
    return replace(spec, control="reference", subject=str(subject))
