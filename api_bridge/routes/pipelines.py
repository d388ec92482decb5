"""Pipelines: named sources whose records are rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import Field

from api_bridge import links
from api_bridge.bodies import MAX_FILES_BYTES, Body, Edited, body_limit, delivery_of
from api_bridge.deps import Admin, Member, Viewer, client_address
from api_bridge.endpoint_marks import any_query, behind, outside, slow
from api_bridge.paging import Behind, Cursor, Limit
from api_bridge.routing import Router
from api_bridge.views import pagination
from api_bridge.views import pipelines as pipeline_views
from automations import wiring
from automations.definitions.pipelines import (
    CONNECTORS,
    PUSH,
    ConnectionShape,
    ConnectorType,
    TableMapping,
)
from automations.domain.principals import Principal
from automations.domain.webhook_deliveries import Delivery
from automations.services.pipelines import connections, probes, pulls, syncs, webhooks

router = Router(prefix="/api/pipelines", tags=["pipelines"])
_CONNECTION = "/connections/{connection_id}"


_DELIVERED = {
    "requestBody": {
        "required": False,
        "description": "For a push connection a list of records, or an object with it.",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"type": "array", "items": {}},
                        {
                            "type": "object",
                            "required": ["records"],
                            "properties": {"records": {"type": "array", "items": {}}},
                        },
                    ]
                }
            },
            "*/*": {"schema": {}},
        },
    }
}


class ChangedConnection(Body, Edited):
    """Changes to a connection; `config` and `tables` are replaced as a whole."""

    name: str = ""
    config: dict[str, Any] = Field({}, description="By the connector's type.")
    tables: list[TableMapping] = Field([], description="Each record goes to all of them.")
    interval: str | None = Field(None, description="How often to sync; null means manually.")
    enabled: bool = Field(True, strict=True)


class Source(Body):
    """The source of records: a connector and its configuration."""

    connector_type: ConnectorType
    config: dict[str, Any] = Field({}, description="By the connector's type.")


class NewRun(Body):
    """A sync to start."""

    records: list[Any] | None = Field(
        None, description="Objects, for a push connection; the others read theirs themselves."
    )


@router.get("/connector-types")
def list_connector_types(caller: Viewer) -> list[dict[str, Any]]:
    """List the connector types, and the configuration of each."""
    return [
        {
            "type": name,
            "description": (form.__doc__ or "").strip(),
            "configSchema": form.model_json_schema(by_alias=True),
        }
        for name, form in CONNECTORS.items()
    ]


@router.get("/connections")
def list_connections(
    caller: Viewer, request: Request, response: Response, limit: Limit = 100, cursor: Behind = None
) -> list[dict[str, Any]]:
    """List connections, by name.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    page, following = connections.page_after(caller.workspace_id, cursor, limit)
    links.add_next(request, response, following, limit)
    return [pipeline_views.connection(connection) for connection in page]


@router.post("/connections", status_code=201)
def create_connection(caller: Admin, shape: ConnectionShape) -> dict[str, Any]:
    """Set up a connection."""
    return pipeline_views.connection(connections.create(caller.workspace_id, shape))


@router.post("/connections/test")
@slow
@outside
def test_source(caller: Admin, source: Source) -> dict[str, Any]:
    """Read the first page of a source before connecting it."""
    return _try_connector(caller, source.connector_type, source.config)


@router.post("/run-all", status_code=202)
def sync_all(caller: Member) -> dict[str, Any]:
    """Start reading all enabled connections that are not being read."""
    return {"runs": [pipeline_views.sync(run) for run in pulls.start_all(caller.workspace_id)]}


@router.get(_CONNECTION)
def get_connection(caller: Viewer, connection_id: str) -> dict[str, Any]:
    """Get one connection."""
    return pipeline_views.connection(connections.get(caller.workspace_id, connection_id))


@router.patch(_CONNECTION)
def change_connection(
    caller: Admin, connection_id: str, changed: ChangedConnection
) -> dict[str, Any]:
    """Change a connection; a running sync restarts with the first page."""
    shown = pipeline_views.connection(connections.get(caller.workspace_id, connection_id))
    changes = changed.as_shown(shown).model_dump(by_alias=True, exclude_unset=True)
    return pipeline_views.connection(
        connections.update(caller.workspace_id, connection_id, changes)
    )


@router.delete(_CONNECTION, status_code=204)
def delete_connection(caller: Admin, connection_id: str) -> None:
    """Delete a connection and the record of its syncs; rows stay."""
    connections.delete(caller.workspace_id, connection_id)


@router.post(f"{_CONNECTION}/check")
@slow
@outside
def check_connection(caller: Admin, connection_id: str) -> dict[str, Any]:
    """Read the first page of a connection's source; no row is written."""
    connection = connections.get(caller.workspace_id, connection_id)
    return _try_connector(caller, connection.connector_type, connection.config)


@router.post(f"{_CONNECTION}/discover")
@slow
@outside
def discover(caller: Admin, connection_id: str) -> dict[str, Any]:
    """List the paths in the records of the first page, for a mapping."""
    connection = connections.get(caller.workspace_id, connection_id)
    http = wiring.ports().http
    fields = probes.fields(caller.workspace_id, connection.connector_type, connection.config, http)
    return {"fields": [{"path": path, "example": example} for path, example in fields.items()]}


@router.get(f"{_CONNECTION}/webhook-url")
def reveal_webhook(request: Request, caller: Admin, connection_id: str) -> dict[str, str]:
    """Reveal the URL with which an outside system syncs; the audit log records this."""
    if request.method == "HEAD":  # which reveals nothing
        connections.get(caller.workspace_id, connection_id)
        return {}
    return {"webhookUrl": webhooks.reveal(caller.workspace_id, connection_id)}


@router.post(f"{_CONNECTION}/rotate-webhook")
def rotate_webhook(caller: Admin, connection_id: str) -> dict[str, str]:
    """Give a connection a new webhook URL; the old one stops working."""
    return {"webhookUrl": webhooks.rotate(caller.workspace_id, connection_id)}


def _look(request: Request) -> None:
    webhooks.require(request.path_params["token"], client_address(request))


@router.post(
    "/webhooks/{token}",
    status_code=202,
    responses={200: {"description": "The delivery was already accepted."}},
    openapi_extra=_DELIVERED,
)
@slow
@any_query
@behind(_look)
def deliver(
    request: Request,
    token: str,
    delivery: Annotated[Delivery, Depends(delivery_of)],
    response: Response,
) -> dict[str, Any]:
    """Sync the records of a delivery, or start reading the source that reports a change.

    A delivery counts once for each `Idempotency-Key`, `Webhook-Id` or `X-GitHub-Delivery`.
    """
    accepted = webhooks.accept(token, delivery, client_address(request))
    response.status_code = 200 if accepted.duplicate else 202
    return pipeline_views.delivery(accepted)


@router.get(f"{_CONNECTION}/runs")
def list_runs(
    caller: Viewer,
    connection_id: str,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """List a connection's syncs, newest first."""
    page, following = syncs.page_after(caller.workspace_id, connection_id, cursor, limit)
    return {
        "runs": [pipeline_views.sync(run) for run in page],
        "pagination": pagination.by_cursor(limit, following),
    }


@router.post(
    f"{_CONNECTION}/runs",
    status_code=201,
    responses={202: {"description": "The records are being read; the run shows the progress."}},
)
@slow
@body_limit(MAX_FILES_BYTES)
def sync(
    caller: Member, connection_id: str, response: Response, new: NewRun | None = None
) -> dict[str, Any]:
    """Sync the records in the body, or start reading them from the connection's source.

    Records that do not fit are counted as failed, and the first of them are named.
    """
    if new is None or new.records is None:
        response.status_code = 202
        return pipeline_views.sync(pulls.start(caller.workspace_id, connection_id))
    run = syncs.push(caller.workspace_id, connection_id, new.records)
    return pipeline_views.sync(run)


@router.get(f"{_CONNECTION}/runs/{{sync_id}}")
def get_run(caller: Viewer, connection_id: str, sync_id: str) -> dict[str, Any]:
    """Get one sync: its progress and what it has changed."""
    return pipeline_views.sync(syncs.get(caller.workspace_id, connection_id, sync_id))


@router.delete(f"{_CONNECTION}/runs/{{sync_id}}")
def stop_run(caller: Member, connection_id: str, sync_id: str) -> dict[str, Any]:
    """Stop a running sync; its changes stay, and cause events."""
    return pipeline_views.sync(syncs.stop(caller.workspace_id, connection_id, sync_id))


def _try_connector(
    caller: Principal, connector_type: str, config: Mapping[str, Any]
) -> dict[str, Any]:
    http = wiring.ports().http
    problem = probes.problem(caller.workspace_id, connector_type, config, http)
    fine = "The source answers as it should."
    if connector_type == PUSH:
        fine = "Records are sent to such a connection: there is no source to ask."
    return {"success": problem is None, "message": problem or fine}
