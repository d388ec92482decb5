"""Whether JSON from outside can be stored in the database."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from automations.kit.numbers import MAX_DIGITS
from automations.kit.values import JSON, Errors

T = TypeVar("T")

MAX_DEPTH = 100
"""Whoever reads it, Python's and others' parsers, calls itself for each level."""
MAX_SENT_DEPTH = 64
"""Levels of what is sent to us: what is put around it later is deeper than it was."""
_TOO_LARGE = 10**MAX_DIGITS
_WITH_POINT = 1e16
_NAMED_PARTS = 6
"""Parts of the path to what is wrong; nobody looks for it deeper."""
_KEYS = "holds a key that is no text"
_NOTE = "(nested too deep to be shown)"


@dataclass(frozen=True, slots=True)
class Unkept:
    """Stands in a value for a part that cannot be kept, for who looks at the parts one by one.

    Args:
        why: as ``fault`` says it.
    """

    why: str


class NotStorable(ValueError):
    """A part of a value cannot be kept.

    Args:
        errors: what is wrong with it, by its path; ``body`` for the whole.
    """

    def __init__(self, errors: Errors) -> None:
        ((path, problems),) = errors.items()
        super().__init__(problems[0] if path == "body" else f"{problems[0]} ({path})")
        self.errors = errors


def storable(value: JSON, max_depth: int = MAX_DEPTH) -> JSON:
    """The value itself, when it can be kept as it is.

    Raises:
        NotStorable: it cannot; says what of it.
    """
    problems = faults(value, "", max_depth)
    if problems:
        raise NotStorable(problems)
    return value


def sanitize(value: JSON, max_depth: int = MAX_DEPTH) -> JSON:
    """What comes nearest to a value and can be kept: of what people are told, never of data.

    Raises:
        ValueError: it is nested too deep, or is not JSON.
    """
    if max_depth < 0:
        raise ValueError("is nested too deep")
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode(errors="replace").decode()
        case Mapping():
            return {
                sanitize(str(key)): sanitize(item, max_depth - 1) for key, item in value.items()
            }
        case list() | tuple():
            return [sanitize(item, max_depth - 1) for item in value]
    return storable(value)


def fields_kept(value: T, convert: Callable[[JSON], JSON]) -> T:
    """A dataclass of texts, JSON and such dataclasses, with these as a function keeps them.

    Raises:
        ValueError: as the function does.
    """

    def inside(item: Any) -> Any:
        if is_dataclass(item) and not isinstance(item, type):
            return fields_kept(item, convert)
        if isinstance(item, Mapping):
            return convert(dict(item))
        if isinstance(item, tuple):
            return tuple(inside(part) for part in item)
        return convert(item) if isinstance(item, str | list) else item

    named = {field.name: inside(getattr(value, field.name)) for field in fields(value)}  # type: ignore[arg-type]  # any dataclass
    return replace(value, **named)  # type: ignore[type-var]  # any dataclass


def fault(value: JSON, max_depth: int = MAX_SENT_DEPTH) -> str | None:
    """Why a value cannot be kept as it is, for whoever has sent it; None when it can.

    It goes through the value level by level, so that no nesting ends the process.
    """
    level, depth = [value], 0
    while level:
        inside: list[JSON] = []
        for item in level:
            if isinstance(item, str):
                problem = _fault_of_text(item)
            elif item is None or isinstance(item, bool):
                continue
            elif isinstance(item, dict | list | tuple):
                inside.extend(item)
                problem = None if depth < max_depth else f"is nested deeper than {max_depth} levels"
                if isinstance(item, dict):
                    inside.extend(item.values())
                    problem = problem or (None if all(map(_is_text, item)) else _KEYS)
            elif isinstance(item, Unkept):
                problem = item.why
            else:
                problem = _fault_of_number(item)
            if problem is not None:
                return problem
        level, depth = inside, depth + 1
    return None


def is_deeper(value: JSON, levels: int) -> bool:
    """Whether a value is nested deeper than so many levels."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            item
            for whole in level
            if isinstance(whole, dict | list)
            for item in (whole.values() if isinstance(whole, dict) else whole)
        ]
    return bool(level)


def faults(value: JSON, path: str, max_depth: int = MAX_SENT_DEPTH) -> Errors:
    """What of a value cannot be kept, by the path of the field that holds it; {} when all can."""
    problem = fault(value, max_depth)
    if problem is None:
        return {}
    for left in range(max_depth - 1, max_depth - _NAMED_PARTS, -1):
        fields = value.items() if isinstance(value, dict) else ()
        faulty = next(((key, item) for key, item in fields if fault(item, left)), None)
        if faulty is None or fault(faulty[0]) is not None:
            break
        path, value = f"{path}.{faulty[0]}" if path else str(faulty[0]), faulty[1]
    return {path or "body": [problem]}


def showable(value: Any, max_depth: int = 2 * MAX_DEPTH) -> Any:
    """A value without what no answer could hold: endless nesting, halves of pairs."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {
            showable(str(key)): showable(item, max_depth - 1) if max_depth else _NOTE
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [showable(item, max_depth - 1) if max_depth else _NOTE for item in value]
    return value


def same(left: JSON, right: JSON) -> bool:
    """Whether two values are one to the database: Python takes true for 1, too."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def identical(left: JSON, right: JSON) -> bool:
    """Whether two values are written alike, with 1.0 as another number than 1 and fields in order.

    Templates and loops show what of it was written.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(
            identical(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(identical, left, right))
    return isinstance(left, float) is isinstance(right, float) and same(left, right)


def kept_alike(left: JSON, right: JSON) -> bool:
    """The same for values that queries look into, which are kept without an order of fields."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            kept_alike(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(kept_alike, left, right))
    return _has_point(left) is _has_point(right) and same(left, right)


def _has_point(value: JSON) -> bool:
    """Whether a number is kept with decimals: larger ones are written, and read, as whole ones."""
    return isinstance(value, float) and abs(value) < _WITH_POINT


def _is_text(key: object) -> bool:
    return isinstance(key, str)


def _fault_of_text(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair"
    return None


def _fault_of_number(value: object) -> str | None:
    if isinstance(value, float):
        if math.isnan(value):
            return "holds NaN, which JSON does not have"
        return None if math.isfinite(value) else "holds a number that is too large"
    if isinstance(value, int):
        return None if abs(value) < _TOO_LARGE else "holds a number that is too large"
    return f"holds {type(value).__name__}, which is not JSON"
