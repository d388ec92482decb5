"""The form of Airflow's Trigger dialog, made from a trigger's ``inputSchema``.

Airflow checks each field by itself, whoever makes the run; the schema as a whole is checked when
the run is recorded. So a field's rules here are never stricter than the schema: what the bridge
has taken, Airflow takes, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Param

from automations.kit.json_schema.schemas import SchemaFault
from automations.kit.values import JSON
from automations_airflow.ui import limits
from automations_airflow.ui.checks import checks_of, target
from automations_airflow.ui.field_validation import NAMED, OURS, fault

MAX_FIELDS = 100
"""Of a form; nobody fills in more, and every parse makes them."""

NOTHING = {"null": "(none)"}
"""What a choice that is not made is called: the form would say ``null``."""

_TEXTS = ("title", "description_md", "section")
_FORMATS = ("date", "date-time", "multiline")
"""Those that the form has inputs for, and that the bridge checks alike."""
_NAMED = ("enumNames", "x-enumNames", "x-enum-labels")
_MAX_REFERENCES = 8


def params_of(schema: Mapping[str, Any] | None) -> dict[str, Param]:
    """The fields that a schema of an object has; none when it is not one of fields."""
    fields = schema.get("properties") if schema else None
    if schema is None or not isinstance(fields, dict) or len(fields) > MAX_FIELDS:
        return {}
    required = schema.get("required", ())
    return {
        name: _param(
            _Field(resolved, _resolve(resolved.get("items"), schema)),
            checks_of(part, schema),
            required=name in required,
        )
        for name, part in fields.items()
        if (resolved := _resolve(part, schema)) is not None
    }


@dataclass(frozen=True, slots=True)
class _Field:
    """A field's schema, and that of its items where it is a list; what they refer to in place."""

    part: Mapping[str, Any]
    items: Mapping[str, Any] | None


def _param(field: _Field, checked: Mapping[str, Any], *, required: bool) -> Param:
    part, rules = field.part, dict(_rules(field))
    empty = _SHOWN_EMPTY.get(str(rules.get("type"))) if required else None
    if not required:
        _allow_none(rules)
    if checked and _can_check(checked):
        rules["allOf"] = [checked if required or _fits(checked, None) else _unless_null(checked)]
    more: dict[str, Any] = {"schema": {NAMED: OURS, **rules} if _can_check(rules) else rules}
    described = part.get("description")
    # Airflow shows it instead of a description in Markdown.
    if isinstance(described, str) or "description_md" not in rules:
        text = described if isinstance(described, str) else ""
        sentences = (text, _shape(field), limits.describe(part))
        more["description"] = " ".join(sentence for sentence in sentences if sentence) or None
    # One that does not fit would have Airflow refuse every run that is given none.
    default = part.get("default", empty)
    if ("default" in part or default is not None) and _fits(rules, default):
        return Param(default, **more)
    return Param(**more) if required else Param(None, **more)


_SHOWN_EMPTY: Mapping[str, JSON] = {"boolean": False, "object": {}}
"""What an input shows that holds nothing: whoever leaves it so has said that."""


def _unless_null(checked: Mapping[str, Any]) -> JSON:
    """The form sends null for what is left empty."""
    return {"if": {"not": {"const": None}}, "then": dict(checked)}


def _can_check(rules: Mapping[str, Any]) -> bool:
    """Whether they are not more than a schema may be."""
    try:
        fault(rules, None)
    except SchemaFault:
        return False
    return True


def _fits(rules: Mapping[str, Any], default: JSON) -> bool:
    try:
        return fault(rules, default) is None
    except SchemaFault:
        return False


def _shape(field: _Field) -> str:
    """What is to be written where the form has an input for JSON alone."""
    kind, items = _kind(field.part), field.items
    if kind == "object" and (names := _names(field.part)):
        return f"As JSON, with {names}."
    if kind != "array" or items is None or _kind(items) in (None, "string"):
        return ""
    if names := _names(items):
        return f"A list as JSON, of objects with {names}."
    choices = ", ".join(json.dumps(choice) for choice in _choices(items))
    return f"A list as JSON, of {choices}." if choices else "A list as JSON."


def _names(part: Mapping[str, Any]) -> str:
    properties = part.get("properties")
    return ", ".join(properties) if isinstance(properties, dict) else ""


def _rules(field: _Field) -> Iterator[tuple[str, JSON]]:
    part, kinds, kind = field.part, _types(field.part), _kind(field.part)
    if len(kinds) == 1:
        yield "type", kinds[0]
    elif kinds:
        yield "type", kinds
    choices = _choices(part)
    if choices:
        yield "enum", list(choices)
        if labels := _labels(choices):
            yield "values_display", labels
    for key in _TEXTS:
        if isinstance(part.get(key), str):
            yield key, part[key]
    if part.get("format") in _FORMATS:
        yield "format", part["format"]
    if kind == "array":
        yield from _items(part, field.items or {})
    elif kind == "string" and _are_texts(part.get("examples")):
        yield "examples", part["examples"]


def _items(part: Mapping[str, Any], items: Mapping[str, Any]) -> Iterator[tuple[str, JSON]]:
    kinds = _types(items)
    if len(kinds) == 1:
        yield "items", {"type": kinds[0]}
    if kinds not in ([], ["string"]):
        # It would send texts of whatever is chosen.
        return
    choices, offered = _choices(items) if kinds else {}, part.get("examples")
    if choices:
        # Of these the form offers several.
        yield "examples", list(choices)
    elif _are_texts(offered):
        yield "examples", offered
    labels_given = part.get("values_display")
    if labels := _labels(choices) or (labels_given if isinstance(labels_given, dict) else {}):
        yield "values_display", labels


def _labels(choices: Mapping[Any, str | None]) -> dict[str, JSON]:
    return {_choice_name(value): label for value, label in choices.items() if label is not None}


def _choice_name(value: Any) -> str:
    """A choice as the form has its name: as JavaScript writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _types(part: Mapping[str, Any]) -> list[str]:
    declared = part.get("type")
    if isinstance(declared, str):
        return [declared]
    if isinstance(declared, list):
        return [name for name in declared if isinstance(name, str)]
    # The form takes what has no type for a text; of choices it shows what they are.
    kinds = {_KINDS.get(type(value)) for value in _choices(part)}
    return [kind for kind in kinds if kind] if len(kinds) == 1 else []


def _kind(part: Mapping[str, Any]) -> str | None:
    """What a field is, beside null; None when it may be several things."""
    kinds = [kind for kind in _types(part) if kind != "null"]
    return kinds[0] if len(kinds) == 1 else None


_KINDS: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _choices(part: Mapping[str, Any]) -> dict[Any, str | None]:
    """The values that a field may have, each with its label."""
    values = part.get("enum", [part["const"]] if "const" in part else None)
    if isinstance(values, list):
        named: list[Any] = next(
            (part[key] for key in _NAMED if isinstance(part.get(key), list)), []
        )
        display = part.get("values_display")
        display = display if isinstance(display, dict) else {}
        labels = [*named, *[None] * len(values)]
        pairs = [
            (value, display.get(str(value), label))
            for value, label in zip(values, labels, strict=False)
        ]
    else:
        options = part.get("oneOf", part.get("anyOf"))
        if not isinstance(options, list) or not all(
            isinstance(option, dict) and "const" in option for option in options
        ):
            return {}
        pairs = [(option["const"], option.get("title")) for option in options]
    if any(isinstance(value, list | dict) for value, _ in pairs):
        return {}
    choices = {value: str(label) if label is not None else None for value, label in pairs}
    # 1, 1.0 and true are one key.
    return choices if len(choices) == len(pairs) else {}


def _allow_none(rules: dict[str, Any]) -> None:
    """Let a field be left empty, for which the form sends null."""
    if "type" in rules:
        kinds = rules["type"] if isinstance(rules["type"], list) else [rules["type"]]
        rules["type"] = kinds if "null" in kinds else [*kinds, "null"]
    if "enum" in rules and None not in rules["enum"]:
        rules["enum"] = [*rules["enum"], None]
        rules["values_display"] = {**rules.get("values_display", {}), **NOTHING}


def _resolve(part: Any, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A part with what it refers to in its place; None when nothing may be given for it."""
    for _ in range(_MAX_REFERENCES):
        if not isinstance(part, dict):
            return {} if part is True else None
        if "$ref" not in part:
            return part
        referenced = target(part["$ref"], schema)
        if not isinstance(referenced, dict):
            return {}
        part = {**referenced, **{key: value for key, value in part.items() if key != "$ref"}}
    return {}
