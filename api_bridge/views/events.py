"""How events look in answers."""

from __future__ import annotations

from typing import Any

from api_bridge.views import runs as run_views
from automations.domain.events import Event, EventDetail
from automations.kit.clock import timestamp


def event(shown: Event) -> dict[str, Any]:
    """An event."""
    return {
        "id": shown.id,
        "type": shown.type,
        "status": shown.status,
        "reason": shown.reason,
        "source": shown.source,
        "externalId": shown.external_id,
        "causeRunId": shown.cause_run_id,
        "createdAt": timestamp(shown.created_at),
        "matchedAt": shown.matched_at and timestamp(shown.matched_at),
    }


def event_detail(detail: EventDetail) -> dict[str, Any]:
    """An event with its data and the runs that it has started."""
    return {
        **event(detail.event),
        "data": detail.data,
        "runs": [{**run_views.run(run), "workflowId": run.workflow_id} for run in detail.runs],
    }
