"""Rows of tables: read, written, asked for and imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi import Query as FromQuery
from pydantic import Field

from api_bridge.bodies import MAX_FILES_BYTES, Body, Edited, body_limit, json_of
from api_bridge.deps import Member, Viewer
from api_bridge.endpoint_marks import changing, heavy, searching
from api_bridge.routing import Router
from api_bridge.views import tables as table_views
from automations.domain.tables import exports
from automations.domain.tables.imports import MAX_ROWS, Source, workbook_text
from automations.errors import ValidationFailed
from automations.kit import json_text
from automations.kit.form_bodies import charset_of, media_type
from automations.ports.tables import RowFilter
from automations.services.tables import rows
from automations.services.tables.rows import MAX_NAMED_ROWS, Query

router = Router(prefix="/api/tables/{table_id}/rows", tags=["tables"])

_MAX_CURSOR_LENGTH = 5_000
"""A cursor holds the value that rows are ordered by."""
_CSV = ("text/csv", "text/tab-separated-values", "application/csv", "text/x-csv")
_SORT = "A column's key, or createdAt; with - before it the other way round."
_SHEET = "The sheet of a workbook to read; by default the first."
_CURSOR = "nextCursor of the previous answer."


class RowValues(Body):
    """A row's values."""

    data: dict[str, Any] = Field(description="Values by the columns' keys.")


class ChangedRow(RowValues, Edited):
    """New values for some columns of a row."""


class RowQuery(Body):
    """A filter, a sort order and a page of a table's rows."""

    filter: RowFilter | None = Field(
        None, description="Comparisons of columns; without them, all rows match."
    )
    sort: str | None = Field(None, max_length=200, description=_SORT)
    limit: int = Field(100, ge=1, le=1_000, strict=True)
    cursor: str | None = Field(None, max_length=_MAX_CURSOR_LENGTH, description=_CURSOR)


async def _source(
    request: Request,
    sheet: Annotated[str | None, FromQuery(max_length=200, description=_SHEET)] = None,
) -> Callable[[], Source]:
    """What reads the rows that were sent: to do so may take seconds, and much memory."""
    declared = request.headers.get("content-type", "")
    body = await request.body()
    if media_type(declared) in _CSV:
        return partial(_csv, body, declared)
    if media_type(declared) == exports.WORKBOOK:
        return partial(workbook_text, body, sheet)
    if not json_text.is_json(declared):
        raise HTTPException(415, f"Send application/json, text/csv or {exports.WORKBOOK}.")
    return partial(_json, body, declared)


def _json(body: bytes, content_type: str) -> list[Any]:
    content = json_of(body, content_type)
    if not isinstance(content, list):
        raise ValidationFailed({"body": ["must be a list of objects with values by columns"]})
    return content


def _csv(body: bytes, content_type: str) -> str:
    try:
        return json_text.decode(body, charset_of(content_type))
    except ValueError as error:
        raise ValidationFailed({"body": [str(error)]}) from error


@router.get("")
@searching
def list_rows(
    caller: Viewer,
    table_id: str,
    sort: Annotated[str | None, FromQuery(max_length=200, description=_SORT)] = None,
    limit: Annotated[int, FromQuery(ge=1, le=1_000)] = 100,
    cursor: Annotated[
        str | None, FromQuery(max_length=_MAX_CURSOR_LENGTH, description=_CURSOR)
    ] = None,
) -> dict[str, Any]:
    """List rows, oldest first by default."""
    query = Query(sort=sort, limit=limit, cursor=cursor)
    return table_views.page(*_page(caller.workspace_id, table_id, query))


@router.post("", status_code=201)
@changing
def create_row(caller: Member, table_id: str, values: RowValues) -> dict[str, Any]:
    """Add a row."""
    return table_views.row(rows.create(caller.workspace_id, table_id, values.data))


@router.post("/query")
@searching
def query_rows(caller: Viewer, table_id: str, asked: RowQuery) -> dict[str, Any]:
    """List the rows that match a filter."""
    query = Query(asked.filter, asked.sort, asked.limit, asked.cursor)
    return table_views.page(*_page(caller.workspace_id, table_id, query))


@router.post(
    "/import",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "array",
                        "maxItems": MAX_ROWS,
                        "items": {"type": "object", "description": "Values by columns."},
                    }
                },
                "text/csv": {
                    "schema": {
                        "type": "string",
                        "description": "The first line names columns by key or name.",
                    }
                },
            },
        }
    },
)
@heavy
@body_limit(MAX_FILES_BYTES)
def import_rows(
    caller: Member, table_id: str, source: Annotated[Callable[[], Source], Depends(_source)]
) -> dict[str, Any]:
    """Add many rows, all or none of them; they are one event.

    A workbook (.xlsx) is taken by its media type, too; its first row names columns as in CSV.
    """
    ids = rows.load(caller.workspace_id, table_id, source())
    return {"count": len(ids), "rowIds": ids[:MAX_NAMED_ROWS]}


@router.get("/{row_id}")
def get_row(caller: Viewer, table_id: str, row_id: str) -> dict[str, Any]:
    """Get one row."""
    return table_views.row(rows.get(caller.workspace_id, table_id, row_id))


@router.patch("/{row_id}")
@changing
def change_row(caller: Member, table_id: str, row_id: str, values: ChangedRow) -> dict[str, Any]:
    """Change some values of a row; null removes one."""
    values = values.as_shown(table_views.row(rows.get(caller.workspace_id, table_id, row_id)))
    return table_views.row(rows.change(caller.workspace_id, table_id, row_id, values.data))


@router.delete("/{row_id}", status_code=204)
@changing
def delete_row(caller: Member, table_id: str, row_id: str) -> None:
    """Delete a row."""
    rows.delete(caller.workspace_id, table_id, row_id)


def _page(workspace_id: str, table_id: str, query: Query) -> tuple[list[rows.Row], int, str | None]:
    page, following = rows.page(workspace_id, table_id, query)
    return page, query.limit, following
