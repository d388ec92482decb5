"""What the database keeps of JSON that comes from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from automations.kit.values import JSON

T = TypeVar("T")

MAX_DEPTH = 100


def storable(value: JSON, most_deep: int = MAX_DEPTH) -> JSON:
    """The value with every character that PostgreSQL refuses replaced.

    Raises:
        ValueError: it is nested too deep, or is not JSON.
    """
    return _storable(value, 0, most_deep)


def fields_storable(value: T, most_deep: int) -> T:
    """A dataclass of texts, JSON and such dataclasses, with these being storable.

    Raises:
        ValueError: as ``storable``.
    """

    def kept(item: Any) -> Any:
        if is_dataclass(item) and not isinstance(item, type):
            return fields_storable(item, most_deep)
        if isinstance(item, Mapping):
            return storable(dict(item), most_deep)
        if isinstance(item, tuple):
            return tuple(kept(part) for part in item)
        return storable(item, most_deep) if isinstance(item, str | list) else item

    named = {field.name: kept(getattr(value, field.name)) for field in fields(value)}  # type: ignore[arg-type]  # any dataclass
    return replace(value, **named)  # type: ignore[type-var]  # any dataclass


def _storable(value: JSON, depth: int, most_deep: int) -> JSON:
    if depth > most_deep:
        raise ValueError(f"is nested more than {most_deep} deep")
    match value:
        case str():
            return _text(value)
        case dict():
            return {
                _text(str(key)): _storable(item, depth + 1, most_deep)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_storable(item, depth + 1, most_deep) for item in value]
        case float() if not math.isfinite(value):
            raise ValueError("holds a number that JSON does not have")
        case None | bool() | int() | float():
            return value
        case _:
            raise ValueError(f"holds {type(value).__name__}, which is not JSON")


def same(left: JSON, right: JSON) -> bool:
    """Whether two values are one to the database: Python takes true for 1, too."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _text(text: str) -> str:
    # Half a surrogate pair cannot be encoded.
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
