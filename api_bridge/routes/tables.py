"""Tables: what their rows may hold."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api_bridge import table_views
from api_bridge.deps import Admin, Viewer
from api_bridge.routing import Router
from automations.services import tables
from automations.tables import Category, TableShape

router = Router(prefix="/api/tables", tags=["tables"])


@router.get("")
def list_tables(
    caller: Viewer,
    category: Annotated[Category | None, Query(description="Only tables of this one.")] = None,
) -> list[dict[str, Any]]:
    """List tables, newest first."""
    return [table_views.table(row) for row in tables.list_all(caller.workspace_id, category)]


@router.post("", status_code=201)
def create_table(caller: Admin, shape: TableShape) -> dict[str, Any]:
    """Create a table."""
    return table_views.table(tables.create(caller.workspace_id, shape))


@router.get("/{table_id}")
def get_table(caller: Viewer, table_id: str) -> dict[str, Any]:
    """Get one table with its columns."""
    return table_views.table(tables.get(caller.workspace_id, table_id))


@router.put("/{table_id}")
def replace_table(caller: Admin, table_id: str, shape: TableShape) -> dict[str, Any]:
    """Give a table another shape; rows forget the values of columns that are no more."""
    return table_views.table(tables.replace(caller.workspace_id, table_id, shape))


@router.delete("/{table_id}", status_code=204)
def delete_table(caller: Admin, table_id: str) -> None:
    """Delete a table with its rows."""
    tables.delete(caller.workspace_id, table_id)


@router.get("/{table_id}/stats")
def get_stats(caller: Viewer, table_id: str) -> dict[str, Any]:
    """Count a table's rows."""
    return table_views.stats(*tables.stats(caller.workspace_id, table_id))
