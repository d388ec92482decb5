"""The form of Airflow's Trigger dialog, made from a trigger's ``inputSchema``.

Airflow checks each field by itself, whoever makes the run; the schema as a whole is checked when
the run is recorded. So a field's rules here are never stricter than the schema: what the bridge
has taken, Airflow takes, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import Param

from automations.kit.json_schema.validation import first_violation
from automations.kit.values import JSON
from automations_airflow.ui import limits

MAX_FIELDS = 100
"""Of a form; nobody fills in more, and every parse makes them."""

NOTHING = {"null": "(none)"}
"""What a choice that is not made is called: the form would say ``null``."""

_SHOWN = ("title", "description_md", "examples", "section", "values_display")
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
        name: _param(found, required=name in required)
        for name, part in fields.items()
        if (found := _resolved(part, schema)) is not None
    }


def _param(part: Mapping[str, Any], *, required: bool) -> Param:
    rules = dict(_rules(part))
    if not required:
        _allow_none(rules)
    described = part.get("description")
    more: dict[str, Any] = {"schema": limits.apart(rules)}
    # Airflow shows it instead of a description in Markdown.
    if isinstance(described, str) or "description_md" not in rules:
        said = (described if isinstance(described, str) else "", limits.in_words(rules))
        more["description"] = " ".join(one for one in said if one) or None
    # One that does not fit would have Airflow refuse every run that is given none.
    if "default" in part and first_violation(rules, part["default"]) is None:
        return Param(part["default"], **more)
    return Param(**more) if required else Param(None, **more)


def _rules(part: Mapping[str, Any]) -> Iterator[tuple[str, JSON]]:
    kinds = _types(part)
    if len(kinds) == 1:
        yield "type", kinds[0]
    elif kinds:
        yield "type", kinds
    choices = _choices(part)
    if choices:
        yield "enum", list(choices)
        labels = {str(value): label for value, label in choices.items() if label is not None}
        if labels:
            yield "values_display", labels
    for key in (*_SHOWN, *limits.LIMITS):
        if key in part and not (key == "values_display" and choices):
            yield key, part[key]
    if part.get("format") in _FORMATS:
        yield "format", part["format"]
    items = part.get("items")
    if isinstance(items, dict) and isinstance(items.get("type"), str):
        yield "items", {"type": items["type"]}
        if "examples" not in part and isinstance(items.get("enum"), list):
            # Of these the form offers several.
            yield "examples", items["enum"]


def _types(part: Mapping[str, Any]) -> list[str]:
    said = part.get("type")
    if isinstance(said, str):
        return [said]
    if isinstance(said, list):
        return [one for one in said if isinstance(one, str)]
    # The form takes what has no type for a text; of choices it shows what they are.
    kinds = {_KINDS.get(type(value)) for value in _choices(part)}
    return [kind for kind in kinds if kind] if len(kinds) == 1 else []


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
            isinstance(one, dict) and "const" in one for one in options
        ):
            return {}
        pairs = [(one["const"], one.get("title")) for one in options]
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


def _resolved(part: Any, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A part with what it refers to in its place; None when nothing may be given for it."""
    for _ in range(_MAX_REFERENCES):
        if not isinstance(part, dict):
            return {} if part is True else None
        reference = part.get("$ref")
        if reference is None:
            return part
        target: Any = schema
        path = str(reference).removeprefix("#/").split("/") if reference != "#" else []
        for step in path:
            target = target.get(step) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            return {}
        part = {**target, **{key: value for key, value in part.items() if key != "$ref"}}
    return {}
