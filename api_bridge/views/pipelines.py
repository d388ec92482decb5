"""How pipelines and their syncs look in answers."""

from __future__ import annotations

from typing import Any

from automations.kit.clock import timestamp
from automations.services.pipelines.connections import Connection, as_given
from automations.services.pipelines.syncs import Sync
from automations.services.pipelines.webhooks import Accepted


def connection(shown: Connection) -> dict[str, Any]:
    """A connection; a secret is only named in it."""
    return {
        "id": shown.id,
        **as_given(shown),
        "createdAt": timestamp(shown.created_at),
        "updatedAt": timestamp(shown.updated_at),
    }


def sync(shown: Sync) -> dict[str, Any]:
    """A sync, with what it has done so far."""
    return {
        "id": shown.id,
        "connectionId": shown.connection_id,
        "status": shown.status,
        "startedBy": shown.started_by,
        "pages": shown.pages,
        "records": shown.records,
        **shown.totals,
        "tables": shown.tables,
        "errors": shown.errors,
        "error": shown.error,
        "startedAt": timestamp(shown.started_at),
        "completedAt": shown.completed_at and timestamp(shown.completed_at),
    }


def delivery(accepted: Accepted) -> dict[str, Any]:
    """What the sender of a delivery is told of its sync."""
    sync = accepted.sync
    return {
        "runId": sync.id,
        "status": sync.status,
        "duplicate": accepted.duplicate,
        **sync.totals,
    }
