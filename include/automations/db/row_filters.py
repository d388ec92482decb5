"""Filters and orders of rows as SQL on their JSON; every value is a bound parameter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, false, func, literal, or_, true
from sqlalchemy.dialects.postgresql import JSONB

from automations.db.tables import DataRow
from automations.row_filters import Comparison, Group
from automations.tables import Column

SORTED_BY = 200
"""How many characters of a text count in an order."""


def condition(part: Group | Comparison) -> Any:
    """What a row must satisfy."""
    if isinstance(part, Comparison):
        return _comparison(part)
    parts = [condition(inner) for inner in part.parts]
    return or_(false(), *parts) if part.match == "any" and parts else and_(true(), *parts)


def ordered(column: Column) -> Any:
    """What rows are sorted by; of a long text only its beginning, which a cursor can hold."""
    if column.type in ("number", "boolean", "date", "datetime"):
        return sortable(column)
    return func.left(DataRow.data[column.key].astext, SORTED_BY).collate("C")


def sortable(column: Column) -> Any:
    """A column's value in a type that PostgreSQL orders as its values are ordered."""
    value = DataRow.data[column.key]
    if column.type == "number":
        # The type is asked first: PostgreSQL may compute this for rows that it then leaves out.
        kind = func.jsonb_typeof(value)
        return case((kind == "number", cast(value.astext, Numeric)), else_=None)
    # Dates and instants are kept in one form, whose order as text is their order in time.
    return value.astext.collate("C")


def comparable(column: Column, value: Any) -> Any:
    """A value as it is compared with ``sortable``."""
    if column.type == "number":
        return Decimal(str(value))
    if column.type == "boolean":
        return "true" if value else "false"
    return value


def _comparison(asked: Comparison) -> Any:
    column, operator = asked.column, asked.operator
    value = DataRow.data[column.key]
    match operator:
        case "exists":
            return value.astext.is_not(None)
        case "empty":
            blanks: list[Any] = ["", [], {}]
            return or_(value.astext.is_(None), *[value == _json(blank) for blank in blanks])
        case "equals" | "notEquals" if asked.value is None:
            return value.astext.is_(None) if operator == "equals" else value.astext.is_not(None)
    if column.type in ("json", "multiselect"):
        return _json_comparison(value, operator, asked.value)
    if operator == "in":
        return sortable(column).in_([comparable(column, item) for item in asked.value])
    return _plain_comparison(
        sortable(column), value.astext, operator, comparable(column, asked.value)
    )


def _json_comparison(value: Any, operator: str, given: Any) -> Any:
    match operator:
        case "equals":
            return value == _json(given)
        case "notEquals":
            return value.is_distinct_from(_json(given))
    holds = and_(func.jsonb_typeof(value) == "array", value.op("@>")(_json([given])))
    if not isinstance(given, str):
        return holds
    kind = func.jsonb_typeof(value)
    inside = and_(kind == "object", func.jsonb_exists(value, given))
    return or_(holds, inside, and_(kind == "string", func.strpos(value.astext, given) > 0))


def _plain_comparison(
    left: ColumnElement[Any], text: ColumnElement[Any], operator: str, right: Any
) -> Any:
    match operator:
        case "equals":
            return left == right
        case "notEquals":
            return left.is_distinct_from(right)
        case "contains":
            return func.strpos(text, right) > 0
        case "startsWith":
            return func.starts_with(text, right)
        case "endsWith":
            return func.right(text, len(right)) == right
        case "matches":
            return text.op("~")(right)
        case "gt" | "after":
            return left > right
        case "gte":
            return left >= right
        case "lt" | "before":
            return left < right
        case _:
            return left <= right


def _json(value: Any) -> Any:
    return literal(value, JSONB)
