"""Tables: what their rows may hold."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from api_bridge.bodies import Body, Edited
from api_bridge.deps import Admin, Forced, Viewer
from api_bridge.endpoint_marks import searching
from api_bridge.routing import Router
from api_bridge.views import tables as table_views
from automations.domain.tables.aggregates import Function
from automations.domain.tables.columns import Category, TableShape
from automations.ports.tables import RowFilter
from automations.services.tables import aggregates, tables
from automations.services.tables.aggregates import Question

router = Router(prefix="/api/tables", tags=["tables"])


class AggregateQuery(Body):
    """An aggregate to compute, and the rows to compute it over."""

    function: Function = Field(
        description="sum and avg work on numbers, min and max also on dates."
    )
    column: str | None = Field(
        None, max_length=100, description="The column; count without one counts rows."
    )
    group_by: str | None = Field(
        None, max_length=100, description="A column; there is one result for each of its values."
    )
    filter: RowFilter | None = Field(
        None, description="Comparisons of columns; without them, all rows match."
    )
    limit: int = Field(100, ge=1, le=1_000, strict=True, description="Maximum number of groups.")


class ChangedTable(TableShape, Edited):
    """A table: it replaces the one before as a whole."""


@router.get("")
def list_tables(
    caller: Viewer,
    category: Annotated[Category | None, Query(description="Only tables of this one.")] = None,
) -> list[dict[str, Any]]:
    """List tables, newest first."""
    return [table_views.table(table) for table in tables.list_all(caller.workspace_id, category)]


@router.post("", status_code=201)
def create_table(caller: Admin, shape: TableShape) -> dict[str, Any]:
    """Create a table."""
    return table_views.table(tables.create(caller.workspace_id, shape))


@router.get("/tree")
def list_by_category(caller: Viewer) -> list[dict[str, Any]]:
    """List the categories that have tables, and their tables by name."""
    return [
        {"category": category, "tables": [table_views.table(table) for table in group]}
        for category, group in tables.tree(caller.workspace_id)
    ]


@router.get("/{table_id}")
def get_table(caller: Viewer, table_id: str) -> dict[str, Any]:
    """Get one table with its columns."""
    return table_views.table(tables.get(caller.workspace_id, table_id))


@router.put("/{table_id}")
@searching
def replace_table(caller: Admin, table_id: str, shape: ChangedTable) -> dict[str, Any]:
    """Replace a table's columns; rows lose the values of removed columns."""
    shape = shape.as_shown(table_views.table(tables.get(caller.workspace_id, table_id)))
    return table_views.table(tables.replace(caller.workspace_id, table_id, shape))


@router.delete("/{table_id}", status_code=204)
@searching
def delete_table(caller: Admin, table_id: str, force: Forced = False) -> None:
    """Delete a table with its rows."""
    tables.delete(caller.workspace_id, table_id, force=force)


@router.get("/{table_id}/stats")
@searching
def get_stats(caller: Viewer, table_id: str) -> dict[str, Any]:
    """Count a table's rows."""
    return table_views.stats(tables.stats(caller.workspace_id, table_id))


@router.post("/{table_id}/aggregate")
@searching
def aggregate(caller: Viewer, table_id: str, asked: AggregateQuery) -> dict[str, Any]:
    """Count, sum, average or compare the rows that match a filter, also by groups.

    The groups with the most rows come first; `truncated` says whether there are more.
    """
    question = Question(asked.function, asked.column, asked.group_by, asked.filter, asked.limit)
    return table_views.aggregate(
        table_id, question, aggregates.answer(caller.workspace_id, table_id, question)
    )
