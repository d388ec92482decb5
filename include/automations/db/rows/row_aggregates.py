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
    session: Session, table_id: str, wanted: Group, asked: Aggregate, limit: int
) -> tuple[AggregateResult, list[AggregateResult]]:
    """The aggregate of all rows that a filter lets through, and those of the largest groups.

    They are of one moment: one statement counts all.

    Raises:
        ValidationFailed: PostgreSQL cannot use a pattern, it takes too long, or a sum has more
            digits than any number of JSON's readers.
    """
    measured = null() if asked.column is None else sortable(asked.column)
    by = null() if asked.group_by is None else sort_key(asked.group_by)
    rows = (
        select(measured.label("measured"), by.label("by"))
        .where(DataRow.table_id == table_id, condition(wanted))
        .subquery()
    )
    counted: ColumnElement[Any] = func.count()
    function = func.count if asked.function == "count" else getattr(func, asked.function)
    value = counted if asked.column is None else function(rows.c.measured)
    if asked.group_by is None:
        query = select(null(), counted, value).select_from(rows)
    else:
        # A rollup has one line more, for all rows.
        query = select(rows.c.by, counted, value).group_by(func.rollup(rows.c.by))
        place = (func.grouping(rows.c.by).desc(), counted.desc(), rows.c.by.nulls_last())
        query = query.order_by(*place).limit(limit + 1)
    with time_limit(session):
        rows_found = list(session.execute(query))
    if asked.function == "sum" and not all(_is_exact(found) for _, _, found in rows_found):
        raise ValidationFailed(
            {"column": ["has a sum of more digits than can be kept; with decimals there may be 15"]}
        )
    found = [
        AggregateResult(_value(asked.group_by, group), count, _value(asked.column, value))
        for group, count, value in rows_found
    ]
    return found[0], found[1:]


def _is_exact(found: Any) -> bool:
    return not isinstance(found, Decimal) or Decimal(str(_value(None, found))) == found


def _value(column: Column | None, found: Any) -> JSON:
    if isinstance(found, Decimal):
        return int(found) if found == found.to_integral_value() else float(found)
    kept: JSON = from_sortable(column, found)
    return kept
