"""The values of templates: JSON, without any of Python's attributes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from automations.domain.template_language.faults import MissingName, TemplateFault
from automations.domain.template_language.meter import Meter
from automations.kit.storable import same

MAX_NUMBER = 2**127
"""Whole numbers of more bits would make one multiplication cost like a thousand."""


_CHARACTERS_PER_UNIT = 10_000
"""So many of two texts are compared for one piece of work."""


class Undefined:
    """What is not there; a fault as soon as it is used.

    Args:
        name: gives its name with its path.
    """

    __slots__ = ("_name",)

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name

    def fault(self) -> MissingName:
        """The fault of using it."""
        return MissingName(self._name())


class Group(list[Any]):
    """A group of ``groupby``: its key and its items, by place or by name."""


def is_number(value: object) -> bool:
    """Whether a value is a number; Python takes true for one, too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def member(value: Any, key: Any) -> Any:
    """What a value holds under a key or at a place, and nothing else that Python knows of it.

    Raises:
        LookupError: there is nothing.
    """
    if isinstance(value, dict):
        return value[key if isinstance(key, str) else key_of(key)]
    if isinstance(value, Group) and key in ("grouper", "list"):
        return value[("grouper", "list").index(key)]
    if isinstance(value, list | str) and isinstance(key, int) and not isinstance(key, bool):
        return value[key]
    raise LookupError(key)


def key_of(value: Any) -> str:
    """A value as a key of an object."""
    if isinstance(value, list | dict):
        raise TemplateFault("a key must be a text or a number")
    return plain_text(value)


def plain_text(value: str | float | bool | None) -> str:
    """How a value that is no list and no object is written."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except ValueError as error:  # Python writes no number of thousands of digits
        raise TemplateFault("a number is too large") from error


def text(value: Any, meter: Meter) -> str:
    """How any value is written: a text as it is, lists and objects as JSON."""
    if isinstance(value, list | dict):
        meter.tree(value)
        value = json.dumps(value, ensure_ascii=False)
        meter.text(len(value))
        return str(value)
    written = plain_text(value)
    meter.text(len(written))
    return written


def items(value: Any, meter: Meter) -> list[Any]:
    """What a loop goes over.

    Raises:
        TemplateFault: there is nothing to go over.
    """
    if value is None:
        return []
    if isinstance(value, list):
        return value
    if isinstance(value, str | dict):
        meter.items(len(value))
        return list(value)
    raise TemplateFault(f"{kind(value)} is no list")


def kind(value: Any) -> str:
    """A value's type for people."""
    if isinstance(value, bool):
        return "true or false"
    for types, name in (
        (int | float, "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    ):
        if isinstance(value, types):
            return name
    return "nothing"


def equal(left: Any, right: Any, meter: Meter) -> bool:
    """Whether two values are the same."""
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        # Python walks both together, and so no further than the one.
        meter.tree(left)
    elif isinstance(left, str) and isinstance(right, str) and len(left) == len(right):
        meter.charge(len(left) // _CHARACTERS_PER_UNIT)
    return same(left, right)


def contains(value: Any, sought: Any, meter: Meter) -> bool:
    """Whether a list has an item, an object a key, or a text a part."""
    if isinstance(value, str):
        meter.text(len(value))
        return plain_text(sought) in value if not isinstance(sought, list | dict) else False
    if isinstance(value, dict):
        return not isinstance(sought, list | dict) and key_of(sought) in value
    if not isinstance(value, list):
        raise TemplateFault(f"{kind(value)} holds nothing")
    meter.items(len(value))
    return any(equal(sought, item, meter) for item in value)


def order(value: Any, meter: Meter) -> tuple[Any, ...]:
    """Where a value stands among others: nothing, numbers, texts, lists."""
    meter.tree(value)
    return _order(value)


def _order(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, str):
        return (2, str(value))
    if isinstance(value, list):
        return (3, tuple(map(_order, value)))
    raise TemplateFault("objects have no order")


def is_less(left: Any, right: Any, meter: Meter) -> bool:
    """Whether a value comes before another of its kind."""
    if kind(left) != kind(right) or left is None:
        raise TemplateFault(f"{kind(left)} and {kind(right)} have no order")
    return order(left, meter) < order(right, meter)


def identity(value: Any, meter: Meter) -> Any:
    """What is the same for equal values, and can be hashed."""
    meter.tree(value)
    return _identity(value)


def _identity(value: Any) -> Any:
    if isinstance(value, dict):
        return ("object", frozenset((key, _identity(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(_identity, value)))
    # Python takes true for 1, too.
    return ("boolean", value) if isinstance(value, bool) else value


def number(value: float) -> int | float:
    """A result of computing.

    Raises:
        TemplateFault: it is too large, or no number.
    """
    if isinstance(value, complex) or not is_bounded(value):
        raise TemplateFault("the result is too large, or no real number")
    return value


def double(value: float) -> float:
    """A number as a decimal one.

    Raises:
        TemplateFault: it is a whole one that this would change.
    """
    converted = float(number(value))
    if isinstance(value, int) and int(converted) != value:
        raise TemplateFault(f"{value} has more digits than a decimal number can keep")
    return converted


def alike(*numbers: float) -> tuple[float, ...]:
    """Numbers to compute with: beside a decimal one, each is one.

    Raises:
        TemplateFault: one is a whole one that this would change, or too large.
    """
    if any(isinstance(item, float) for item in numbers):
        return tuple(map(double, numbers))
    return tuple(map(number, numbers))


def is_bounded(value: object) -> bool:
    """Whether a value is no number beyond what templates compute with."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < MAX_NUMBER


def join(parts: list[Any], meter: Meter, *, markup: bool, between: Any = "") -> str:
    """Values written one after another; in HTML, where one of them is, the others are escaped."""
    written = [item if isinstance(item, Markup) else text(item, meter) for item in parts]
    separator = between if isinstance(between, Markup) else text(between, meter)
    meter.text(sum(map(len, written)) + len(separator) * max(len(written) - 1, 0))
    if markup and any(isinstance(item, Markup) for item in (separator, *written)):
        together = Markup(separator).join(written)
        meter.text(len(together))
        return together
    return separator.join(written)
