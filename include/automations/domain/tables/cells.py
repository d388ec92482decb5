"""A row's values as text in inputs and files, and back: exactly, or not at all."""

from __future__ import annotations

import json

from automations.domain.tables.columns import Column
from automations.kit import json_text
from automations.kit.csv_cells import EMPTY_TEXT
from automations.kit.numbers import parse_number
from automations.kit.values import JSON

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_BETWEEN = ";"


def is_nothing(column: Column, text: str) -> bool:
    """Whether a text stands for no value.

    Blanks are a text, and a choice where there is such an option, or anything may be one; they are
    nothing of any other type.
    """
    if text == "":
        return column.type != "text" or text is not EMPTY_TEXT
    return not text.strip() and column.type != "text" and not _may_choose(column, text)


def parse_text(column: Column, text: str) -> JSON:
    """A text in its column's type; one that does not fit stays a text, and is refused later.

    Raises:
        ValueError: it cannot be kept, and why.
    """
    bare = text.strip()
    match column.type:
        case "number":
            number = parse_number(bare)
            if number is None:
                raise ValueError("must be a number such as -1234.5, with no other sign in it")
            return number
        case "boolean":
            return _BOOLEANS.get(bare.lower(), text)
        case "select":
            return text if _may_choose(column, text) else bare
        case "multiselect":
            return _several(bare)
        case "json":
            return json_text.parse_json(bare)
        case "text":
            return str(text)
        case _:
            return bare


def text_of(column: Column, value: JSON) -> str:
    """The text that stands for a value: ``parse_text`` gives the same one again."""
    if value is None:
        return ""
    if column.type == "json":
        return json.dumps(value, ensure_ascii=False)
    if column.type == "multiselect":
        return _in_one(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return EMPTY_TEXT if value == "" else str(value)


def _may_choose(column: Column, text: str) -> bool:
    """Whether a text is one of a select's values as it is."""
    values = {option.value for option in column.options}
    return column.type == "select" and (not values or text in values)


def _several(text: str) -> JSON:
    """Values with ``;`` between them, or a list in JSON."""
    if text.startswith("[") and not isinstance(listed := json_text.parse_any(text), str):
        return listed
    return [part.strip() for part in text.split(_BETWEEN) if part.strip()]


def _in_one(values: list[str]) -> str:
    text = f"{_BETWEEN} ".join(values)
    return text if values and _means(text, values) else json.dumps(values, ensure_ascii=False)


def _means(text: str, values: list[str]) -> bool:
    try:
        return bool(_several(text) == values)
    except ValueError:
        return False
