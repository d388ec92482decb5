"""Aggregates of rows, computed by PostgreSQL."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, null, select
from sqlalchemy.orm import Session

from automations.db.rows.data_rows import time_limit
from automations.db.rows.row_filters import condition, from_sortable, sort_key, sortable
from automations.db.tables import DataRow
from automations.domain.tables.aggregates import Aggregate, AggregateResult
from automations.domain.tables.columns import Column
from automations.domain.tables.filters import Group
from automations.errors import ValidationFailed
from automations.kit.values import JSON


def aggregates(
    session: Session, table_id: str, criteria: Group, aggregate: Aggregate, limit: int
) -> tuple[AggregateResult, list[AggregateResult]]:
    """The aggregate of all rows that a filter lets through, and those of the largest groups.

    They are of one moment: one statement counts all.

    Raises:
        ValidationFailed: PostgreSQL cannot use a pattern, it takes too long, or a sum has more
            digits than any number of JSON's readers.
    """
    measured = null() if aggregate.column is None else sortable(aggregate.column)
    by = null() if aggregate.group_by is None else sort_key(aggregate.group_by)
    rows = (
        select(measured.label("measured"), by.label("by"))
        .where(DataRow.table_id == table_id, condition(criteria))
        .subquery()
    )
    counted: ColumnElement[Any] = func.count()
    function = func.count if aggregate.function == "count" else getattr(func, aggregate.function)
    value = counted if aggregate.column is None else function(rows.c.measured)
    if aggregate.group_by is None:
        query = select(null(), counted, value).select_from(rows)
    else:
        # A rollup has one line more, for all rows.
        query = select(rows.c.by, counted, value).group_by(func.rollup(rows.c.by))
        place = (func.grouping(rows.c.by).desc(), counted.desc(), rows.c.by.nulls_last())
        query = query.order_by(*place).limit(limit + 1)
    with time_limit(session):
        rows_found = list(session.execute(query))
    if aggregate.function == "sum" and not all(_is_exact(number) for _, _, number in rows_found):
        raise ValidationFailed(
            {"column": ["has a sum of more digits than can be kept; with decimals there may be 15"]}
        )
    values = [
        AggregateResult(_value(aggregate.group_by, group), count, _value(aggregate.column, value))
        for group, count, value in rows_found
    ]
    return values[0], values[1:]


def _is_exact(value: Any) -> bool:
    return not isinstance(value, Decimal) or Decimal(str(_value(None, value))) == value


def _value(column: Column | None, value: Any) -> JSON:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    stored: JSON = from_sortable(column, value)
    return stored
