"""The next dates of a schedule."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api_bridge.deps import Viewer
from api_bridge.routing import Router
from automations.kit.clock import timestamp
from automations.services.workflows import schedules

router = Router(prefix="/api/workflows", tags=["schedules"])


@router.get("/{workflow_id}/schedule")
def get_schedule(
    caller: Viewer, workflow_id: str, count: Annotated[int, Query(ge=1, le=100)] = 5
) -> dict[str, Any]:
    """Preview the next runs, with the same computation as Airflow.

    While the automation is not ACTIVE, `active` is false and nothing starts at these times.
    """
    preview = schedules.preview(caller.workspace_id, workflow_id, count)
    return {
        **preview.trigger.as_json()["config"],
        "timezone": preview.timezone,
        "active": preview.active,
        "next": [timestamp(instant) for instant in preview.upcoming],
    }
