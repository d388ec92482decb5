"""Keywords that look at a value itself: its type, its size, its text, what it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from automations.kit.json_schema.instances import Instance, Violations
from automations.kit.json_schema.violations import format_value
from automations.kit.numbers import MAX_DIGITS
from automations.kit.values import JSON


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    whole = isinstance(value, float) and value.is_integer()
    return whole or (isinstance(value, int) and not isinstance(value, bool))


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": _is_number,
    "integer": _is_whole,
    "string": lambda value: isinstance(value, str),
}


def type_(at: Instance, expected: JSON) -> Violations:
    """``type``: the value is of one of these types."""
    names = expected if isinstance(expected, list) else [expected]
    if any(_TYPES[name](at.value) for name in names):
        return []
    expected_names = ", ".join(f"'{name}'" for name in names)
    return at.violation(
        "type", expected, f"{format_value(at.value)} is not of type {expected_names}"
    )


def enum(at: Instance, expected: JSON) -> Violations:
    """``enum``: the value is one of these."""
    choices = at.run.schema.choices(expected, at.run.identity)
    # A large value is read as a whole only where one of its size is among the choices.
    may_be = not isinstance(at.value, list | dict) or len(at.value) in choices.sizes
    if may_be and at.run.identity(at.value) in choices.identities:
        return []
    listed = ", ".join(format_value(choice) for choice in expected[:20])
    return at.violation("enum", expected, f"{format_value(at.value)} is not one of {listed}")


def const(at: Instance, expected: JSON) -> Violations:
    """``const``: the value is this one."""
    if at.run.identity(at.value) == at.run.identity(expected):
        return []
    return at.violation("const", expected, f"{format_value(expected)} was expected")


def bound(
    keyword: str, holds: Callable[[Any, Any], bool], word: str
) -> Callable[[Instance, JSON], Violations]:
    """A keyword that bounds numbers, such as ``minimum``."""

    def check(at: Instance, expected: JSON) -> Violations:
        if not _is_number(at.value) or holds(at.value, expected):
            return []
        return at.violation(
            keyword, expected, f"{format_value(at.value)} is {word} {format_value(expected)}"
        )

    return check


def multiple_of(at: Instance, expected: JSON) -> Violations:
    """``multipleOf``: the number is a multiple of this one."""
    if not _is_number(at.value):
        return []
    try:
        if isinstance(at.value, int) and isinstance(expected, int):
            rest: Any = at.value % expected
        else:
            # As they are written, since 0.3 is a multiple of 0.1.
            exact = Context(prec=2 * MAX_DIGITS)
            rest = exact.remainder(Decimal(str(at.value)), Decimal(str(expected)))
    except (InvalidOperation, ValueError):
        rest = 1
    if not rest:
        return []
    message = f"{format_value(at.value)} is not a multiple of {format_value(expected)}"
    return at.violation("multipleOf", expected, message)


def size(
    keyword: str, kind: type[Any], holds: Callable[[Any, Any], bool], word: str
) -> Callable[[Instance, JSON], Violations]:
    """A keyword that bounds the size of texts, lists or objects, such as ``maxItems``."""

    def check(at: Instance, expected: JSON) -> Violations:
        if not isinstance(at.value, kind) or holds(len(at.value), expected):
            return []
        return at.violation(
            keyword, expected, f"{format_value(at.value)} {word} {format_value(expected)}"
        )

    return check


def pattern(at: Instance, expected: JSON) -> Violations:
    """``pattern``: the text has a part that matches."""
    if not isinstance(at.value, str) or at.run.match(expected, at.value):
        return []
    return at.violation("pattern", expected, f"does not match '{expected}'")


def format_(at: Instance, expected: JSON) -> Violations:
    """``format``: the text is written in this form, where that is known."""
    holds = at.run.formats.get(expected)
    if holds is None or not isinstance(at.value, str):
        return []
    at.run.charge(len(at.value) // 100)
    if holds(at.value):
        return []
    return at.violation("format", expected, f"{format_value(at.value)} is not a '{expected}'")


def unique_items(at: Instance, expected: JSON) -> Violations:
    """``uniqueItems``: no item is there twice."""
    if not expected or not isinstance(at.value, list):
        return []
    seen = set()
    for item in at.value:
        seen.add(at.run.identity(item))
    if len(seen) == len(at.value):
        return []
    return at.violation("uniqueItems", expected, "an item of the list is there twice")


def required(at: Instance, expected: JSON) -> Violations:
    """``required``: the object has these properties."""
    if not isinstance(at.value, dict):
        return []
    at.run.charge(len(expected) // 10)
    return [
        violation
        for name in expected
        if name not in at.value
        for violation in at.violation(
            "required", expected, f"{format_value(name)} is a required property", names=(name,)
        )
    ]


def dependent_required(at: Instance, expected: JSON) -> Violations:
    """``dependentRequired``: the object has the properties that those it has ask for."""
    if not isinstance(at.value, dict):
        return []
    return [
        violation
        for name, others in expected.items()
        if name in at.value
        for violation in required(at, others)
    ]
