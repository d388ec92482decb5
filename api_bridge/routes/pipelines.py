"""Pipelines: named sources whose records are rows of tables."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api_bridge import pipeline_views
from api_bridge.bodies import Body
from api_bridge.deps import Admin, Member, Viewer
from automations.pipelines import CONNECTORS, ConnectionShape, TableMapping
from automations.services import pipeline_runs, pipelines

router = APIRouter(prefix="/api/pipelines", tags=["pipelines"])
_CONNECTION = "/connections/{connection_id}"


class ChangedConnection(Body):
    """What changes of a connection; config and tables are replaced as a whole."""

    name: str = ""
    config: dict[str, Any] = Field({}, description="By the connector's type.")
    tables: list[TableMapping] = Field([], description="Each record goes to all of them.")
    interval: str | None = Field(None, description="How often to sync; null for by hand.")
    enabled: bool = Field(True, strict=True)


class NewRun(Body):
    """What is to be synced."""

    records: list[Any] | None = Field(
        None, description="Objects, for a push connection; the others read theirs themselves."
    )


@router.get("/connector-types")
def list_connector_types(caller: Viewer) -> list[dict[str, Any]]:
    """List how records can come, and what is configured for each way."""
    return [
        {
            "type": name,
            "description": (form.__doc__ or "").strip(),
            "configSchema": form.model_json_schema(by_alias=True),
        }
        for name, form in CONNECTORS.items()
    ]


@router.get("/connections")
def list_connections(caller: Viewer) -> list[dict[str, Any]]:
    """List all connections, by name."""
    return [pipeline_views.connection(row) for row in pipelines.list_all(caller.workspace_id)]


@router.post("/connections", status_code=201)
def create_connection(caller: Admin, shape: ConnectionShape) -> dict[str, Any]:
    """Set up a connection."""
    return pipeline_views.connection(pipelines.create(caller.workspace_id, shape))


@router.get(_CONNECTION)
def get_connection(caller: Viewer, connection_id: str) -> dict[str, Any]:
    """Get one connection."""
    return pipeline_views.connection(pipelines.get(caller.workspace_id, connection_id))


@router.patch(_CONNECTION)
def change_connection(
    caller: Admin, connection_id: str, changed: ChangedConnection
) -> dict[str, Any]:
    """Change a connection; a sync that runs begins with the first page again."""
    changes = changed.model_dump(by_alias=True, exclude_unset=True)
    return pipeline_views.connection(pipelines.update(caller.workspace_id, connection_id, changes))


@router.delete(_CONNECTION, status_code=204)
def delete_connection(caller: Admin, connection_id: str) -> None:
    """Delete a connection and the record of its syncs; rows stay."""
    pipelines.delete(caller.workspace_id, connection_id)


@router.get(f"{_CONNECTION}/runs")
def list_runs(
    caller: Viewer,
    connection_id: str,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """List a connection's syncs, newest first."""
    found, following = pipeline_runs.behind(caller.workspace_id, connection_id, cursor, limit)
    return {
        "runs": [pipeline_views.run(row) for row in found],
        "pagination": {"limit": limit, "nextCursor": following},
    }


@router.post(f"{_CONNECTION}/runs", status_code=201)
def sync(caller: Member, connection_id: str, new: NewRun) -> dict[str, Any]:
    """Sync records that are sent; records that do not fit are counted, and the first named."""
    run = pipeline_runs.push(caller.workspace_id, connection_id, new.records)
    return pipeline_views.run(run)


@router.get(f"{_CONNECTION}/runs/{{run_id}}")
def get_run(caller: Viewer, connection_id: str, run_id: str) -> dict[str, Any]:
    """Get one sync: how far it has come and what it has changed."""
    return pipeline_views.run(pipeline_runs.get(caller.workspace_id, connection_id, run_id))


@router.delete(f"{_CONNECTION}/runs/{{run_id}}")
def stop_run(caller: Member, connection_id: str, run_id: str) -> dict[str, Any]:
    """Stop a sync that runs; what it has changed stays, and is announced."""
    return pipeline_views.run(pipeline_runs.stop(caller.workspace_id, connection_id, run_id))
