"""Compares two JSON values by an operator."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from automations.kit.clock import parse_instant
from automations.kit.patterns import pattern
from automations.kit.storable import same
from automations.kit.values import JSON

Operator = Literal[
    "equals", "notEquals", "contains", "startsWith", "endsWith", "gt", "gte", "lt", "lte",
    "in", "exists", "empty", "before", "after", "matches",
]  # fmt: skip


def compare(operator: str, left: JSON, right: JSON, zone: str = "UTC") -> bool:
    """Whether two values stand in a relation.

    Args:
        zone: of times that are written without an offset.

    Raises:
        TypeError: the values cannot be compared so; the message says how to convert.
        ValueError: a text is no time, or no pattern.
    """
    match operator:
        case "exists":
            return left is not None
        case "empty":
            return left in (None, "", [], {})
        case "equals" | "notEquals":
            if left is not None and right is not None:
                _same_kind(left, right)
            return same(left, right) == (operator == "equals")
        case "contains":
            return _contains(left, right)
        case "in":
            return _contains(right, left)
        case "matches":
            return pattern(_text(right)).matches(_text(left))
        case "startsWith" | "endsWith":
            text, part = _text(left), _text(right)
            return text.startswith(part) if operator == "startsWith" else text.endswith(part)
        case "before" | "after":
            first, second = _instant(left, zone), _instant(right, zone)
            return first < second if operator == "before" else first > second
        case _:
            return _is_ordered(operator, left, right)


def _is_ordered(operator: str, left: Any, right: Any) -> bool:
    _same_kind(left, right)
    if not isinstance(left, int | float | str) or isinstance(left, bool):
        raise TypeError(f"{operator} compares numbers or texts, not {kind_of(left)}")
    match operator:
        case "gt":
            return bool(left > right)
        case "gte":
            return bool(left >= right)
        case "lt":
            return bool(left < right)
        case _:
            return bool(left <= right)


def _same_kind(left: JSON, right: JSON) -> None:
    if kind_of(left) != kind_of(right):
        raise TypeError(
            f"{kind_of(left)} and {kind_of(right)} cannot be compared; convert one, "
            "for example {{input.amount | float}}"
        )


def _contains(whole: JSON, part: JSON) -> bool:
    if isinstance(whole, str):
        return _text(part) in whole
    if isinstance(whole, dict):
        return _text(part) in whole
    if isinstance(whole, list):
        return any(same(part, item) for item in whole)
    raise TypeError(f"{kind_of(whole)} contains nothing: a text, a list or an object is needed")


def _text(value: JSON) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {kind_of(value)}")
    return value


def _instant(value: JSON, zone: str) -> datetime:
    text = _text(value)
    try:
        return parse_instant(text, zone)
    except ValueError as error:
        raise ValueError(f"'{text}' {error}") from error


def kind_of(value: JSON) -> str:
    """The kind of a value, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)
