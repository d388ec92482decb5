"""Filters and orders of a table's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from automations.domain.tables.columns import Column, value_of
from automations.domain.tables.columns import from_step as value_of_step
from automations.errors import ValidationFailed
from automations.kit.comparison import Operator, compare
from automations.kit.patterns import postgres_form
from automations.kit.values import JSON
from automations.ports.tables import RowFilter, RowRule

MAX_RULES = 200
"""Each is a condition of one statement, which PostgreSQL has to plan."""
MAX_DEPTH = 10
"""Of groups in groups: what people write has two or three."""
_EVERYWHERE = {"equals", "notEquals", "exists", "empty"}
_TEXTS = _EVERYWHERE | {
    "contains", "startsWith", "endsWith", "gt", "gte", "lt", "lte", "in", "matches",
}  # fmt: skip
_NUMBERS = _EVERYWHERE | {"gt", "gte", "lt", "lte", "in"}
_MOMENTS = _NUMBERS | {"before", "after"}
OPERATORS = {
    "number": _NUMBERS,
    "boolean": _EVERYWHERE | {"in"},
    "date": _MOMENTS,
    "datetime": _MOMENTS,
    "multiselect": _EVERYWHERE | {"contains"},
    "json": _EVERYWHERE | {"contains"},
}
"""What can be asked of a column, by its type; everything else is a text."""
_UNSORTED = ("multiselect", "json")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison that fits its column; texts, numbers and instants as rows keep them."""

    column: Column
    operator: str
    value: JSON


@dataclass(frozen=True, slots=True)
class Group:
    """Comparisons, all or any of which must hold."""

    match: str
    parts: Sequence[Comparison | Group]


@dataclass(frozen=True, slots=True)
class Order:
    """By which column rows are sorted; by their making when None."""

    column: Column | None = None
    descending: bool = False


def validate(criteria: RowFilter | None, columns: Sequence[Column]) -> Group:
    """A filter whose fields are columns and whose values fit them.

    Raises:
        ValidationFailed: it does not fit; the rule is named.
    """
    group = _Checker({column.key: column for column in columns})
    if criteria is None:
        return Group("all", ())
    return group.group(criteria.match, criteria.rules, "filter", 1)


def from_step(criteria: RowFilter, columns: Sequence[Column], zone: str) -> RowFilter:
    """A filter as a step of an automation gives it, its values by ``columns.from_step``."""
    by_key = {column.key: column for column in columns}

    def fitting(rule: RowRule) -> RowRule:
        if rule.rules is not None:
            return rule.model_copy(update={"rules": [fitting(inner) for inner in rule.rules]})
        value = value_of_step(by_key.get(str(rule.field)), rule.value, zone)
        return rule.model_copy(update={"value": value})

    return criteria.model_copy(update={"rules": [fitting(rule) for rule in criteria.rules]})


def order_of(sort: str | None, columns: Sequence[Column]) -> Order:
    """The order that ``column``, ``-column``, ``createdAt`` or ``-createdAt`` asks for.

    Raises:
        ValidationFailed: there is no such column, or it has no order.
    """
    text = (sort or "createdAt").strip()
    descending, key = text.startswith("-"), text.removeprefix("-")
    for column in columns:
        if column.key == key:
            if column.type in _UNSORTED:
                raise ValidationFailed({"sort": [f"a {column.type} column has no order"]})
            return Order(column, descending)
    if key != "createdAt":
        raise ValidationFailed({"sort": [f"'{key}' is not a column of this table"]})
    return Order(None, descending)


def operators_of(column: Column) -> list[str]:
    """How a column may be compared, the most usual ways first."""
    supported = OPERATORS.get(column.type, _TEXTS)
    return [operator for operator in get_args(Operator) if operator in supported]


def is_sortable(column: Column) -> bool:
    """Whether rows have an order by a column."""
    return column.type not in _UNSORTED


class _Checker:
    def __init__(self, columns: dict[str, Column]) -> None:
        self._columns = columns
        self._count = 0

    def group(self, match: str, rules: Sequence[RowRule], path: str, depth: int) -> Group:
        self._count += len(rules)
        if self._count > MAX_RULES or depth > MAX_DEPTH:
            raise ValidationFailed(
                {path: [f"may have {MAX_RULES} rules in {MAX_DEPTH} levels at most"]}
            )
        return Group(
            match,
            [self._part(rule, f"{path}.rules.{index}", depth) for index, rule in enumerate(rules)],
        )

    def _part(self, rule: RowRule, path: str, depth: int) -> Comparison | Group:
        if rule.rules is not None:
            return self.group(rule.match, rule.rules, path, depth + 1)
        column = self._columns.get(str(rule.field))
        if column is None:
            raise ValidationFailed(
                {f"{path}.field": [f"'{rule.field}' is not a column of this table"]}
            )
        operator = str(rule.operator)
        if operator not in OPERATORS.get(column.type, _TEXTS):
            raise ValidationFailed(
                {f"{path}.operator": [f"{operator} does not fit a {column.type} column"]}
            )
        try:
            return Comparison(column, operator, _fitting(column, operator, rule.value))
        except (ValueError, TypeError) as error:
            raise ValidationFailed({f"{path}.value": [str(error)]}) from error


def _fitting(column: Column, operator: str, value: JSON) -> JSON:
    if operator in ("exists", "empty") or (value is None and operator in ("equals", "notEquals")):
        return None
    read = _reader(column, operator)
    if operator != "in":
        return read(value)
    if not isinstance(value, list) or len(value) > 1_000:
        raise ValueError("must be a list of 1,000 values at most")
    return [read(item) for item in value]


def _reader(column: Column, operator: str) -> Callable[[Any], Any]:
    """What reads a value to compare with; a part of a text need not be one of the options."""
    kind = column.type
    if kind == "multiselect" and operator == "contains":
        kind = "text"
    if kind in ("select", "email", "url"):
        kind = "text"
    plain = Column(key=column.key, type=kind)

    def read(value: Any) -> Any:
        parsed = value_of(plain, value)
        if operator == "matches":
            compare("matches", "", parsed)  # says what is wrong with a pattern
            postgres_form(parsed)
            if len(parsed) > 500:
                raise ValueError("may have 500 characters at most")
        return parsed

    return read
