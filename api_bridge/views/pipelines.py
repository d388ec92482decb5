"""How pipelines and their syncs look in answers."""

from __future__ import annotations

from typing import Any

from automations.db.tables import PipelineConnection, PipelineRun
from automations.kit.clock import timestamp
from automations.services.pipelines.connections import as_given
from automations.services.pipelines.syncs import totals
from automations.services.pipelines.webhooks import Accepted


def connection(row: PipelineConnection) -> dict[str, Any]:
    """A connection; a secret is only named in it."""
    return {
        "id": row.id,
        **as_given(row),
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def run(row: PipelineRun) -> dict[str, Any]:
    """A sync, with what it has done so far."""
    return {
        "id": row.id,
        "connectionId": row.connection_id,
        "status": row.status,
        "startedBy": row.way,
        "pages": row.pages,
        "records": row.records,
        **totals(row),
        "tables": row.tables,
        "errors": row.errors,
        "error": row.error,
        "startedAt": timestamp(row.started_at),
        "completedAt": row.completed_at and timestamp(row.completed_at),
    }


def delivery(accepted: Accepted) -> dict[str, Any]:
    """What the sender of a delivery is told of its sync."""
    run = accepted.run
    return {
        "runId": run.id,
        "status": run.status,
        "duplicate": accepted.duplicate,
        **totals(run),
    }
