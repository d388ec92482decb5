"""The tests of ``is``, except ``defined`` and ``undefined``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from automations.domain.template_language import values
from automations.domain.template_language.operations import comparisons
from automations.domain.template_language.run import Run

Predicate = Callable[..., bool]


def _is(*types: type) -> Predicate:
    return lambda run, value: isinstance(value, types)


def _whole(run: Run, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _divisible(run: Run, value: int, by: int) -> bool:
    return _whole(run, value) and _whole(run, by) and value % by == 0


def _equal(run: Run, value: Any, other: Any) -> bool:
    return comparisons(run)["eq"](value, other, run.meter)


def _less(run: Run, value: Any, other: Any) -> bool:
    return comparisons(run)["lt"](value, other, run.meter)


def _letters(run: Run, value: Any, is_so: Callable[[str], bool]) -> bool:
    run.meter.text(len(value) if isinstance(value, str) else 0)
    return isinstance(value, str) and is_so(value)


def _same(run: Run, value: Any, other: Any) -> bool:
    return type(value) is type(other) and values.equal(value, other, run.meter)


_unequal: Predicate = lambda run, value, other: not _equal(run, value, other)  # noqa: E731
_greater: Predicate = lambda run, value, other: _less(run, other, value)  # noqa: E731
_at_least: Predicate = lambda run, value, other: not _less(run, value, other)  # noqa: E731
_at_most: Predicate = lambda run, value, other: not _less(run, other, value)  # noqa: E731

UNDEFINED_TOO = frozenset({"defined", "undefined"})
"""Tests that may be asked of what is not there."""

PREDICATES: Mapping[str, Predicate] = {
    "defined": lambda run, value: not isinstance(value, values.Undefined),
    "undefined": lambda run, value: isinstance(value, values.Undefined),
    "boolean": _is(bool),
    "string": _is(str),
    "mapping": _is(dict),
    "sequence": _is(list, str),
    "iterable": _is(list, str, dict),
    "float": _is(float),
    "integer": _whole,
    "number": lambda run, value: values.is_number(value),
    "none": lambda run, value: value is None,
    "true": lambda run, value: value is True,
    "false": lambda run, value: value is False,
    "odd": lambda run, value: _whole(run, value) and value % 2 == 1,
    "even": lambda run, value: _divisible(run, value, 2),
    "divisibleby": _divisible,
    "in": lambda run, value, others: comparisons(run)["in"](value, others, run.meter),
    "sameas": _same,
    "lower": lambda run, value: _letters(run, value, str.islower),
    "upper": lambda run, value: _letters(run, value, str.isupper),
    "startingwith": lambda run, value, part: _letters(
        run, value, lambda text: text.startswith(part)
    ),
    "endingwith": lambda run, value, part: _letters(run, value, lambda text: text.endswith(part)),
    **dict.fromkeys(("eq", "==", "equalto"), _equal),
    **dict.fromkeys(("ne", "!="), _unequal),
    **dict.fromkeys(("lt", "<", "lessthan"), _less),
    **dict.fromkeys(("gt", ">", "greaterthan"), _greater),
    **dict.fromkeys(("ge", ">="), _at_least),
    **dict.fromkeys(("le", "<="), _at_most),
}
