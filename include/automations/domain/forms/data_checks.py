"""Checks data against a form: as a JSON Schema, with messages for whoever has filled it in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from automations.domain.email_addresses import is_address
from automations.domain.forms.schema import (
    DISPLAY,
    MAX_ITEMS,
    UNTYPED,
    FormField,
    FormSchema,
    Section,
)
from automations.kit.clock import is_local
from automations.kit.json_schema.schemas import Schema
from automations.kit.json_schema.validation import violations
from automations.kit.json_schema.violations import Violation
from automations.kit.storable import faults
from automations.kit.values import JSON

_MAX_CHECKS = 2_000_000
"""More than a body may hold fields, each of which has a few checks."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?", re.ASCII
)
_TEXT: Mapping[str, Any] = {"type": "string", "maxLength": 100_000}


def is_date(value: object) -> bool:
    """Whether a value is a date."""
    text = str(value)
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def is_datetime(value: object) -> bool:
    """Whether a value is a date and time, or a date."""
    try:
        is_local(str(value))
    except ValueError:
        return False
    return True


def is_time(value: object) -> bool:
    """Whether a value is a time of a day."""
    return _TIME.fullmatch(str(value)) is not None


_FORMATS: Mapping[str, Callable[[object], bool]] = {
    "address": is_address,
    "date": is_date,
    "time": is_time,
    "moment": is_datetime,
}


def json_schema(form: FormSchema) -> dict[str, JSON]:
    """The JSON schema of a form's data."""
    properties: dict[str, JSON] = {}
    required: list[str] = []
    for section in form.sections:
        inside = _object(section.fields)
        if section.repeatable:
            bounds = section.bounds
            properties[section.items_key] = {
                "type": "array",
                "items": inside,
                "minItems": bounds.least,
                "maxItems": bounds.most,
            }
            required += [section.items_key] if bounds.least else []
        else:
            properties |= inside["properties"]
            required += inside["required"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def check(form: Mapping[str, Any] | FormSchema, data: Mapping[str, JSON]) -> dict[str, list[str]]:
    """What is wrong with data for a form: messages by the path of the value."""
    if problems := faults(dict(data), ""):
        return problems
    parsed = form if isinstance(form, FormSchema) else FormSchema.model_validate(form)
    errors: dict[str, list[str]] = {}
    counted = _normalise_breaks(parsed, data)
    for violation in violations(Schema(json_schema(parsed)), counted, _FORMATS, _MAX_CHECKS):
        for path, message in _explain(violation):
            errors.setdefault(path, []).append(message)
    return errors


def _normalise_breaks(form: FormSchema, data: Mapping[str, JSON]) -> dict[str, JSON]:
    """Data as its characters are counted: a line break is one of them, whoever has written it."""

    def inside(section: Section, part: Mapping[str, JSON]) -> dict[str, JSON]:
        free = {field.key for field in section.fields if not field.options}
        return {
            key: value.replace("\r\n", "\n") if key in free and isinstance(value, str) else value
            for key, value in part.items()
        }

    counted = dict(data)
    for section in form.sections:
        if not section.repeatable:
            counted = inside(section, counted)
        elif isinstance(items := counted.get(section.items_key), list):
            counted[section.items_key] = [
                inside(section, item) if isinstance(item, dict) else item for item in items
            ]
    return counted


def _object(fields: list[FormField]) -> dict[str, Any]:
    shown = [field for field in fields if field.type not in DISPLAY]
    return {
        "type": "object",
        "properties": {field.key: _value(field) for field in shown},
        "required": [field.key for field in shown if field.validation.required],
        "additionalProperties": False,
    }


def _value(field: FormField) -> dict[str, JSON]:
    field_schema = _by_type(field)
    rules = field.validation
    limits = {
        "minimum": rules.min,
        "maximum": rules.max,
        "minLength": rules.min_length or (1 if rules.required else None),
        "maxLength": rules.max_length,
    }
    field_schema |= {name: limit for name, limit in limits.items() if limit is not None}
    if rules.required and field.type in UNTYPED:
        return {"not": {"enum": [None, "", [], {}]}}
    if rules.required:
        return field_schema | ({"minItems": 1} if field_schema.get("type") == "array" else {})
    # An empty field of a web form arrives as an empty text or as null.
    return {"anyOf": [field_schema, {"type": "null"}, {"const": ""}]}


def _by_type(field: FormField) -> dict[str, JSON]:
    values = [option.value for option in field.options]
    match field.type:
        case "number" | "currency" | "rating":
            return {"type": "number"}
        case "yesno":
            return {"type": "boolean"}
        case "select" | "radio" | "country":
            return {"type": "string", "enum": values} if values else dict(_TEXT)
        case "multiselect" | "checkbox":
            item = {"enum": values} if values else dict(_TEXT)
            max_items = len(values) or MAX_ITEMS
            return {"type": "array", "maxItems": max_items, "items": item, "uniqueItems": True}
        case "email":
            return {**_TEXT, "format": "address"}
        case "date" | "time":
            return {**_TEXT, "format": "date" if field.type == "date" else "time"}
        case "datetime":
            return {**_TEXT, "format": "moment"}
        case "url":
            return {**_TEXT, "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s]+$"}
        case _:
            return {} if field.type in UNTYPED else dict(_TEXT)


def _explain(violation: Violation) -> Iterator[tuple[str, str]]:
    path = ".".join(map(str, violation.path))
    if violation.names:
        says = {"required": "is required", "additionalProperties": "is not a field of this form"}
        for name in violation.names:
            yield f"{path}.{name}" if path else name, says[violation.keyword]
    else:
        yield path, _short(violation.causes[0] if violation.causes else violation)


_MESSAGES = {
    "address": "must be an e-mail address",
    "date": "must be a date such as 2026-03-01",
    "time": "must be a time such as 09:30",
    "moment": "must be a date and time such as 2026-03-01T09:30:00Z",
}


_KINDS = {
    "number": "must be a number such as 12 or 12.5",
    "string": "must be a text",
    "boolean": "must be yes or no (true or false)",
    "array": "must be a list",
    "object": "must be an object",
}


def _short(violation: Violation) -> str:
    """What is wrong, in words for whoever fills in the form."""
    expected = violation.expected
    match violation.keyword:
        case "format":
            return _MESSAGES[expected]
        case "type":
            return _KINDS[expected]
        case "enum":
            return f"must be one of {', '.join(map(str, expected))}"
        case "minimum":
            return f"must be {expected} or more"
        case "maximum":
            return f"must be {expected} or less"
        case "minLength":
            return "must not be empty" if expected == 1 else f"needs at least {expected} characters"
        case "maxLength":
            return f"may have {expected} characters at most"
        case "minItems" if expected > 1:
            return f"must have at least {expected} items"
        case "maxItems":
            return f"must have at most {expected} items"
        case "uniqueItems":
            return "must not have the same twice"
        case "pattern":
            return "must be an http or https address"
        case _:
            return "must not be empty"
