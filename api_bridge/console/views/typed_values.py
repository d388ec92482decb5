"""JSON values as text to type, and back.

An input for any value takes both: a text that is JSON stands for its value, any other one for
itself. So ``12`` is a number, ``"12"`` a text of two digits. An input for JSON takes nothing else.
"""

from __future__ import annotations

import json

from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.values import JSON


def format_value(value: JSON) -> str:
    """The text that stands for a value."""
    if isinstance(value, str):
        return value if _stands_for_itself(value) else json.dumps(value, ensure_ascii=False)
    wide = isinstance(value, dict | list) and bool(value)
    return json.dumps(value, ensure_ascii=False, indent=2 if wide else None)


def parse_value(text: str, name: str) -> JSON:
    """The value that a text stands for.

    Raises:
        ValidationFailed: it is JSON that cannot be kept; says so at the input of this name.
    """
    try:
        return json_text.parse_any(text)
    except ValueError as error:
        raise ValidationFailed({name: [str(error)]}) from error


def json_of(text: str, name: str) -> JSON:
    """The value of a text that has to be JSON.

    Raises:
        ValidationFailed: it is not, or cannot be kept; says so at the input of this name.
    """
    try:
        return json_text.parse_json(text)
    except ValueError as error:
        raise ValidationFailed({name: [str(error)]}) from error


def object_of(text: str, name: str, example: str = "{}") -> dict[str, JSON]:
    """The JSON object of a text; an empty one where nothing was typed.

    Args:
        example: shown to whoever has typed something else.

    Raises:
        ValidationFailed: it is none, or cannot be kept; says so at the input of this name.
    """
    if not text.strip():
        return {}
    value = json_of(text, name)
    if not isinstance(value, dict):
        raise ValidationFailed({name: [f"must be a JSON object, such as {example}"]})
    return value


def _stands_for_itself(text: str) -> bool:
    try:
        return bool(json_text.parse_any(text) == text)
    except ValueError:
        return False
