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


def stats(counted: TableStats) -> dict[str, Any]:
    """What there is in a table."""
    return {
        "tableId": counted.table_id,
        "rowCount": counted.rows,
        "columnCount": counted.columns,
        "lastRowAddedAt": counted.last_added and timestamp(counted.last_added),
        "lastRowChangedAt": counted.last_changed and timestamp(counted.last_changed),
    }


def aggregate(table_id: str, question: Question, answer: Answer) -> dict[str, Any]:
    """An aggregate of a table's rows."""
    return {
        "tableId": table_id,
        "function": question.function,
        "column": question.column,
        "groupBy": question.group_by,
        **_result(answer.whole),
        "groups": [{"group": result.group, **_result(result)} for result in answer.groups],
        "truncated": answer.truncated,
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
