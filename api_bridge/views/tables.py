"""How tables and their rows look in answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api_bridge.views import pagination
from automations.domain.tables.aggregates import AggregateResult
from automations.kit.clock import timestamp
from automations.services.tables.aggregates import Answer, Question
from automations.services.tables.rows import Row
from automations.services.tables.tables import Table, TableStats


def table(shown: Table) -> dict[str, Any]:
    """A table with its columns."""
    return {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        "category": shown.category,
        "formId": shown.form_id,
        "columns": shown.columns,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def stats(found: TableStats) -> dict[str, Any]:
    """What there is in a table."""
    return {
        "tableId": found.table_id,
        "rowCount": found.rows,
        "columnCount": found.columns,
        "lastRowAddedAt": found.last_added and timestamp(found.last_added),
        "lastRowChangedAt": found.last_changed and timestamp(found.last_changed),
    }


def aggregate(table_id: str, asked: Question, found: Answer) -> dict[str, Any]:
    """An aggregate of a table's rows."""
    return {
        "tableId": table_id,
        "function": asked.function,
        "column": asked.column,
        "groupBy": asked.group_by,
        **_result(found.whole),
        "groups": [{"group": result.group, **_result(result)} for result in found.groups],
        "truncated": found.truncated,
    }


def _result(result: AggregateResult) -> dict[str, Any]:
    return {"value": result.value, "rowCount": result.rows}


def row(shown: Row) -> dict[str, Any]:
    """A row."""
    return {
        "id": shown.id,
        "tableId": shown.table_id,
        "data": shown.data,
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def page(rows: Sequence[Row], limit: int, following: str | None) -> dict[str, Any]:
    """A page of rows."""
    return {
        "rows": [row(shown) for shown in rows],
        "pagination": pagination.by_cursor(limit, following),
    }
