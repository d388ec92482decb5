"""Checks the values that a form's page shows from the start: none may be missing there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from automations.domain.forms.data_checks import is_date, is_datetime, is_time
from automations.domain.forms.schema import DISPLAY, FILES, FormField, FormSchema
from automations.kit.numbers import parse_number
from automations.kit.values import JSON

ANSWERS: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "true", "1", "on"), True),
    **dict.fromkeys(("no", "false", "0", "off"), False),
}
"""Texts that answer yes or no."""
_NO_FIELD = "the form has no such field"


def misfits(form: Mapping[str, Any], values: Mapping[str, JSON]) -> dict[str, str]:
    """Why values cannot be shown, by their paths.

    What is shown though it is wrong, such as a number that is too large, people can correct.
    """
    problems: dict[str, str] = {}
    fields: dict[str, FormField] = {}
    sections: dict[str, dict[str, FormField]] = {}
    for section in FormSchema.model_validate(form).sections:
        inside = {field.key: field for field in section.fields if field.type not in DISPLAY}
        if section.repeatable:
            sections[section.items_key] = inside
        else:
            fields |= inside
    for key, value in values.items():
        if key not in sections:
            problems |= _problem(key, fields.get(key), value)
        elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                for name, part in item.items():
                    problems |= _problem(f"{key}.{index}.{name}", sections[key].get(name), part)
        elif value is not None:
            problems[key] = "must be a list of objects"
    return problems


def _problem(path: str, field: FormField | None, value: JSON) -> dict[str, str]:
    reason = _NO_FIELD if field is None else _reason(field, value)
    return {path: reason} if reason else {}


def _reason(field: FormField, value: JSON) -> str | None:
    if value is None or value == "":
        return None
    options = [option.value for option in field.options]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    match field.type:
        case "number" | "currency" | "rating":
            return None if _is_number(value) else "must be a number such as 12 or 12.5"
        case "yesno":
            fits = isinstance(value, bool) or text.lower() in ANSWERS
            return None if fits else "must be yes or no (true or false)"
        case "date":
            return None if is_date(text) else "must be a date such as 2026-03-01"
        case "time":
            return None if is_time(text) else "must be a time such as 09:30"
        case "datetime":
            fits = is_datetime(text)
            return None if fits else "must be a date and time such as 2026-03-01T09:30:00Z"
        case "multiselect" | "checkbox":
            if not isinstance(value, list | str):
                return "must be a list"
            chosen = [value] if isinstance(value, str) else value
            fits = not options or all(item in options for item in chosen)
            return None if fits else f"must be some of {', '.join(options[:20])}"
        case kind if kind in FILES:
            return "takes a file, which only who fills it in can choose"
        case _:
            known = not options or text in options
            return None if known else f"must be one of {', '.join(options[:20])}"


def _is_number(value: JSON) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return parse_number(value) is not None
    except ValueError:
        return False
