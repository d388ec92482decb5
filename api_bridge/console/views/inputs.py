"""A flat JSON schema as a form: one field per property."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console.form_data import text
from api_bridge.console.views.typed_values import object_of
from api_bridge.public_pages import shown_values
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.line_breaks import as_it_was
from automations.kit.numbers import parse_number
from automations.kit.values import JSON

WHOLE = "json"
"""The name of the input that takes the whole as JSON."""
_PREFIX = "input."
_MAX_FIELDS = 50
_MIN_LONG_TEXT = 200
_INPUT_TYPES = {
    "date": "date",
    "email": "email",
    "password": "password",
    "uri": "url",
    "date-time": "text",
    "time": "time",
}


@dataclass(frozen=True, slots=True)
class Field:
    """An input of the form.

    Args:
        control: text, area, number, boolean, choice or json.
        known: what it was before anybody typed.
        words: what options are called, where they are words of the product's own.
    """

    key: str
    name: str
    label: str
    hint: str
    control: str
    type: str
    required: bool
    options: Sequence[str]
    value: str
    known: str
    words: Mapping[str, str] = default(default_factory=dict)


def fields(definition: Mapping[str, Any], typed_in: FormData | None = None) -> list[Field] | None:
    """The fields of an automation's input; None where it is to be written as JSON."""
    return fields_of((definition.get("trigger") or {}).get("inputSchema"), _PREFIX, typed_in)


def labels(definition: Mapping[str, Any]) -> dict[str, str]:
    """What the values of an automation's input are called, by their keys."""
    all_fields = fields(definition)
    return {field.key: field.label for field in all_fields or ()}


def fields_of(schema: Any, prefix: str, typed_in: FormData | None = None) -> list[Field] | None:
    """The fields of a schema; None where it is to be written as JSON.

    Args:
        prefix: what their inputs' names begin with.
    """
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or not 0 < len(properties) <= _MAX_FIELDS:
        return None
    required = (schema or {}).get("required") or ()
    return [
        _field(
            (str(key), f"{prefix}{key}"),
            property_schema if isinstance(property_schema, Mapping) else {},
            key in required,
            typed_in,
        )
        for key, property_schema in properties.items()
    ]


def read(definition: Mapping[str, Any], form: FormData) -> dict[str, JSON]:
    """The input that a form holds, in the types of its schema.

    Raises:
        ValidationFailed: names the inputs that cannot be read.
    """
    if WHOLE in form:
        return object_of(text(form, WHOLE), WHOLE)
    return values_of(fields(definition, form) or ())


def values_of(filled: Sequence[Field]) -> dict[str, JSON]:
    """What was typed into fields, in their types; the empty ones are absent.

    Raises:
        ValidationFailed: names the inputs that cannot be read.
    """
    values: dict[str, JSON] = {}
    errors: dict[str, list[str]] = {}
    for field in filled:
        if field.value == "":
            continue
        try:
            values[field.key] = _value(field)
        except ValueError as error:
            errors[field.name] = [str(error)]
    if errors:
        raise ValidationFailed(errors)
    return values


def _field(
    named: tuple[str, str],
    schema: Mapping[str, Any],
    required: bool,
    typed_in: FormData | None,
) -> Field:
    key, name = named
    kind, options = schema.get("type"), schema.get("enum")
    default = schema.get("default", "")
    value = text(typed_in, name) if typed_in is not None else _format(default)
    control, input_type = "json", "text"
    if isinstance(options, list) and all(isinstance(option, str) for option in options):
        control = "choice"
    elif kind == "boolean":
        control = "boolean"
    elif kind in ("number", "integer"):
        control = "number"
    elif kind == "string":
        long = (schema.get("maxLength") or 0) > _MIN_LONG_TEXT
        control = "area" if long else "text"
        input_type = _INPUT_TYPES.get(str(schema.get("format")), "text")
    return Field(
        key=key,
        name=name,
        label=str(schema.get("title") or shown_values.label(key)),
        hint=str(schema.get("description") or ""),
        control=control,
        type=input_type,
        required=required,
        options=options if control == "choice" and isinstance(options, list) else (),
        value=value,
        known=_format(default),
    )


def _format(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if value is not None else ""


def _value(field: Field) -> JSON:
    match field.control:
        case "boolean":
            if field.value not in ("true", "false"):
                raise ValueError("must be true or false")
            return field.value == "true"
        case "number":
            number = parse_number(field.value)
            if number is None:
                raise ValueError("must be a number")
            return number
        case "json":
            return json_text.parse_json(field.value)
    return as_it_was(field.value, [*field.options, field.known])
