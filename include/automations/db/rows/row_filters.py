"""Filters and orders of rows, translated to SQL on their JSON; every value is a bound parameter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, false, func, literal, or_, true
from sqlalchemy.dialects.postgresql import JSONB

from automations.db.tables import DataRow
from automations.domain.tables.columns import Column
from automations.domain.tables.filters import Comparison, Group
from automations.kit.patterns import postgres_form

SORT_LENGTH = 200
"""How many characters of a text count in an order."""
_EMPTY: tuple[Any, ...] = ("", [], {})


def condition(part: Group | Comparison) -> ColumnElement[bool]:
    """What a row must satisfy."""
    if isinstance(part, Comparison):
        return _comparison(part)
    parts = [condition(inner) for inner in part.parts]
    return or_(false(), *parts) if part.match == "any" and parts else and_(true(), *parts)


def sort_key(column: Column) -> ColumnElement[Any]:
    """What rows are sorted by; of a long text only its beginning, which a cursor can hold."""
    if column.type in ("number", "boolean", "date", "datetime"):
        return sortable(column)
    beginning: ColumnElement[Any] = func.left(DataRow.data[column.key].astext, SORT_LENGTH)
    return beginning.collate("C")


def sortable(column: Column) -> ColumnElement[Any]:
    """A column's value in a type that PostgreSQL orders as its values are ordered."""
    value = DataRow.data[column.key]
    if column.type == "number":
        # The type is asked first: PostgreSQL may compute this for rows that it then leaves out.
        kind = func.jsonb_typeof(value)
        return case((kind == "number", cast(value.astext, Numeric)), else_=None)
    # Dates and instants are kept in one form, whose order as text is their order in time.
    text: ColumnElement[Any] = value.astext
    if column.type == "datetime":
        # Not all have as many decimals, and the sign behind them comes after the digits.
        text = func.rtrim(text, "Z")
    return text.collate("C")


def comparable(column: Column, value: Any) -> Any:
    """A value as it is compared with ``sortable``."""
    if column.type == "number":
        return Decimal(str(value))
    if column.type == "boolean":
        return "true" if value else "false"
    return value.rstrip("Z") if column.type == "datetime" else value


def from_sortable(column: Column | None, value: Any) -> Any:
    """What ``sortable`` gives of a row, as the row has it."""
    if column is not None and isinstance(value, str):
        if column.type == "boolean":
            return value == "true"
        if column.type == "datetime":
            return f"{value}Z"
    return value


def _comparison(comparison: Comparison) -> ColumnElement[bool]:
    column, operator = comparison.column, comparison.operator
    value: ColumnElement[Any] = DataRow.data[column.key]
    text: ColumnElement[Any] = DataRow.data[column.key].astext
    match operator:
        case "exists":
            return text.is_not(None)
        case "empty":
            return or_(text.is_(None), *[value == _json(empty) for empty in _EMPTY])
        case "equals" | "notEquals" if comparison.value is None:
            return text.is_(None) if operator == "equals" else text.is_not(None)
    if column.type in ("json", "multiselect"):
        return _json_comparison(value, text, operator, comparison.value)
    if operator == "in":
        return sortable(column).in_([comparable(column, item) for item in comparison.value])
    return _plain_comparison(sortable(column), text, operator, comparable(column, comparison.value))


def _json_comparison(
    value: ColumnElement[Any], text: ColumnElement[Any], operator: str, expected: Any
) -> ColumnElement[bool]:
    match operator:
        case "equals":
            return value == _json(expected)
        case "notEquals":
            return value.is_distinct_from(_json(expected))
    kind = func.jsonb_typeof(value)
    listed = and_(kind == "array", value.op("@>")(_json([expected])))
    if not isinstance(expected, str):
        return listed
    named = and_(kind == "object", func.jsonb_exists(value, expected))
    return or_(listed, named, and_(kind == "string", func.strpos(text, expected) > 0))


def _plain_comparison(
    left: ColumnElement[Any], text: ColumnElement[Any], operator: str, right: Any
) -> ColumnElement[bool]:
    clause: ColumnElement[bool]
    match operator:
        case "equals":
            clause = left == right
        case "notEquals":
            clause = left.is_distinct_from(right)
        case "contains":
            clause = func.strpos(text, right) > 0
        case "startsWith":
            clause = func.starts_with(text, right)
        case "endsWith":
            clause = func.right(text, len(right)) == right
        case "matches":
            clause = text.op("~", is_comparison=True)(postgres_form(right))
        case "gt" | "after":
            clause = left > right
        case "gte":
            clause = left >= right
        case "lt" | "before":
            clause = left < right
        case _:
            clause = left <= right
    return clause


def _json(value: Any) -> ColumnElement[Any]:
    return literal(value, JSONB)
