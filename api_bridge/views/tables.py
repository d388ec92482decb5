"""How tables and their rows look in answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automations.db.data_tables import Stats
from automations.db.tables import DataTable
from automations.domain.tables.aggregates import Figure
from automations.kit.clock import timestamp
from automations.services.tables.aggregates import Answer, Question
from automations.services.tables.rows import Row


def table(row: DataTable) -> dict[str, Any]:
    """A table with its columns."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "category": row.category,
        "formId": row.form_id,
        "columns": row.columns,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def stats(row: DataTable, figures: Stats) -> dict[str, Any]:
    """A table's figures."""
    return {
        "tableId": row.id,
        "rowCount": figures.rows,
        "columnCount": len(row.columns),
        "lastRowAddedAt": figures.last_added and timestamp(figures.last_added),
        "lastRowChangedAt": figures.last_changed and timestamp(figures.last_changed),
    }


def aggregate(table_id: str, asked: Question, found: Answer) -> dict[str, Any]:
    """A figure of a table's rows."""
    return {
        "tableId": table_id,
        "function": asked.function,
        "column": asked.column,
        "groupBy": asked.group_by,
        **_figure(found.whole),
        "groups": [{"group": figure.group, **_figure(figure)} for figure in found.groups],
        "truncated": found.truncated,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "rowCount": figure.rows}


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
        "pagination": {"limit": limit, "nextCursor": following},
    }
