"""JSON values as texts that people type, and back: each text stands for one value, and none else.

A text stands for itself, unless it is JSON: ``12`` is a number, ``"12"`` a text of two digits.
"""

from __future__ import annotations

import json

from automations.kit import json_text
from automations.kit.values import JSON


def shown(value: JSON) -> str:
    """The text that stands for a value."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if _is_json(value) else value
    wide = isinstance(value, dict | list) and bool(value)
    return json.dumps(value, ensure_ascii=False, indent=2 if wide else None)


def typed(text: str) -> JSON:
    """The value that a text stands for."""
    try:
        return json_text.parsed(text)
    except ValueError:
        return text


def _is_json(text: str) -> bool:
    try:
        json_text.parsed(text)
    except ValueError:
        return False
    return True
