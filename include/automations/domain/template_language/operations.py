"""The operators between values: on plain values, counted, and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from automations.domain.template_language import values
from automations.domain.template_language.faults import TemplateFault
from automations.domain.template_language.meter import Meter
from automations.domain.template_language.run import Run
from automations.kit.comparison import compare

_MAX_POWER_BITS = 256
"""Of a power: whole numbers grow without bounds, and so does their multiplication."""

Operation = Callable[[Run, Any, Any], Any]


def _numbers(sign: str, compute: Callable[[Any, Any], Any]) -> Operation:
    def calculate(run: Run, left: Any, right: Any) -> Any:
        if not (values.is_number(left) and values.is_number(right)):
            # Python would format a text with %, and count with true.
            raise _unfit(sign, left, right)
        # Data may hold larger ones.
        return values.number(compute(*values.alike(left, right)))

    return calculate


def _unfit(sign: str, left: Any, right: Any) -> TemplateFault:
    return TemplateFault(f"there is no {values.kind(left)} {sign} {values.kind(right)}")


_plus = _numbers("+", lambda left, right: left + right)
_times = _numbers("*", lambda left, right: left * right)


def _add(run: Run, left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        run.meter.items(len(left) + len(right))
        return [*left, *right]
    if isinstance(left, str) and isinstance(right, str):
        run.meter.text(len(left) + len(right))
        together = left + right  # where one is safe, the other is escaped
        run.meter.text(len(together))
        return together
    return _plus(run, left, right)


def _multiply(run: Run, left: Any, right: Any) -> Any:
    if isinstance(left, str | list) and isinstance(right, int) and not isinstance(right, bool):
        length = len(left) * max(right, 0)
        (run.meter.text if isinstance(left, str) else run.meter.items)(length)
        return left * right
    return _times(run, left, right)


def _divide(left: Any, right: Any) -> Any:
    quotient = left / right
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        values.double(left // right)
    return quotient


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1
    if whole and base.bit_length() * abs(exponent) > _MAX_POWER_BITS:
        raise TemplateFault("the result is too large a number")
    return base**exponent


OPERATIONS: Mapping[str, Operation] = {
    "+": _add,
    "-": _numbers("-", lambda left, right: left - right),
    "*": _multiply,
    "/": _numbers("/", _divide),
    "//": _numbers("//", lambda left, right: left // right),
    "%": _numbers("%", lambda left, right: left % right),
    "**": _numbers("**", _power),
}

COMPARISONS: Mapping[str, Callable[[Any, Any, Meter], bool]] = {
    "eq": values.equal,
    "ne": lambda left, right, meter: not values.equal(left, right, meter),
    "lt": values.is_less,
    "gt": lambda left, right, meter: values.is_less(right, left, meter),
    "lteq": lambda left, right, meter: not values.is_less(right, left, meter),
    "gteq": lambda left, right, meter: not values.is_less(left, right, meter),
    "in": lambda left, right, meter: values.contains(right, left, meter),
    "notin": lambda left, right, meter: not values.contains(right, left, meter),
}


def _as_rules_do(operator: str, *, negated: bool = False) -> Callable[[Any, Any, Meter], bool]:
    def apply(left: Any, right: Any, meter: Meter) -> bool:
        meter.tree(left)
        meter.tree(right)
        try:
            return compare(operator, left, right) is not negated
        except (TypeError, ValueError) as error:
            raise TemplateFault(str(error)) from error

    return apply


RULES: Mapping[str, Callable[[Any, Any, Meter], bool]] = {
    "eq": _as_rules_do("equals"),
    "ne": _as_rules_do("notEquals"),
    "lt": _as_rules_do("lt"),
    "gt": _as_rules_do("gt"),
    "lteq": _as_rules_do("lte"),
    "gteq": _as_rules_do("gte"),
    "in": _as_rules_do("in"),
    "notin": _as_rules_do("in", negated=True),
}
"""Comparisons as the rules of conditions make them: what is of two kinds is refused."""


def comparisons(run: Run) -> Mapping[str, Callable[[Any, Any, Meter], bool]]:
    """How a rendering compares."""
    return RULES if run.as_rules else COMPARISONS


def part(value: Any, start: Any, stop: Any, step: Any, meter: Meter) -> Any:
    """A slice of a text or a list."""
    if not isinstance(value, str | list):
        raise TemplateFault(f"{values.kind(value)} has no parts")
    try:
        length = len(range(*slice(start, stop, step).indices(len(value))))
    except (TypeError, ValueError) as error:
        raise TemplateFault("the ends of a part must be whole numbers") from error
    (meter.text if isinstance(value, str) else meter.items)(length)
    return value[start:stop:step]
