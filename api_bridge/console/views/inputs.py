"""The input of a run as a form: a field for each property of a schema that people can fill in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from api_bridge.console.posted import text
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.numbers import typed
from automations.kit.storable import NotKept
from automations.kit.values import JSON

WHOLE = "json"
"""The name of the input that takes the whole as JSON."""
_PREFIX = "input."
_MAX_FIELDS = 50
_LONG = 200
_INPUT_TYPES = {"date": "date", "email": "email", "uri": "url", "date-time": "text", "time": "time"}


@dataclass(frozen=True, slots=True)
class Field:
    """An input of the form.

    Args:
        control: text, area, number, boolean, choice or json.
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


def fields(definition: Mapping[str, Any], typed_in: FormData | None = None) -> list[Field] | None:
    """The fields of an automation's input; None where it is to be written as JSON."""
    schema = (definition.get("trigger") or {}).get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or not 0 < len(properties) <= _MAX_FIELDS:
        return None
    required = (schema or {}).get("required") or ()
    return [
        _field(str(key), one if isinstance(one, Mapping) else {}, key in required, typed_in)
        for key, one in properties.items()
    ]


def read(definition: Mapping[str, Any], form: FormData) -> dict[str, JSON]:
    """The input that a form holds, in the types of its schema.

    Raises:
        ValidationFailed: names the inputs that cannot be read.
    """
    if WHOLE in form:
        return _whole(text(form, WHOLE))
    given: dict[str, JSON] = {}
    errors: dict[str, list[str]] = {}
    for field in fields(definition, form) or ():
        if field.value == "":
            continue
        try:
            given[field.key] = _value(field)
        except ValueError as error:
            errors[f"input.{field.key}"] = [str(error)]
    if errors:
        raise ValidationFailed(errors)
    return given


def _field(key: str, schema: Mapping[str, Any], required: bool, typed_in: FormData | None) -> Field:
    name = f"{_PREFIX}{key}"
    kind, options = schema.get("type"), schema.get("enum")
    default = schema.get("default", "")
    known = text(typed_in, name) if typed_in is not None else _written(default)
    control, input_type = "json", "text"
    if isinstance(options, list) and all(isinstance(one, str) for one in options):
        control = "choice"
    elif kind == "boolean":
        control = "boolean"
    elif kind in ("number", "integer"):
        control = "number"
    elif kind == "string":
        long = (schema.get("maxLength") or 0) > _LONG
        control = "area" if long else "text"
        input_type = _INPUT_TYPES.get(str(schema.get("format")), "text")
    return Field(
        key=key,
        name=name,
        label=str(schema.get("title") or key),
        hint=str(schema.get("description") or ""),
        control=control,
        type=input_type,
        required=required,
        options=options if control == "choice" and isinstance(options, list) else (),
        value=known,
    )


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if value is not None else ""


def _value(field: Field) -> JSON:
    match field.control:
        case "boolean":
            return field.value == "true"
        case "number":
            number = typed(field.value)
            if number is None:
                raise ValueError("must be a number")
            return number
        case "json":
            return json_text.parsed(field.value)
    return field.value.replace("\r\n", "\n")


def _whole(written: str) -> dict[str, JSON]:
    if not written.strip():
        return {}
    try:
        found = json_text.parsed(written)
    except NotKept as error:
        raise ValidationFailed(error.errors) from error
    except ValueError as error:
        raise ValidationFailed({WHOLE: [str(error)]}) from error
    if not isinstance(found, dict):
        raise ValidationFailed({WHOLE: ["must be a JSON object, such as {}"]})
    return found
