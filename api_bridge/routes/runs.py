"""Runs: read, resume."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api_bridge import views
from api_bridge.deps import Member, Viewer
from automations.services import decisions, runs

router = APIRouter(prefix="/api/workflows", tags=["runs"])


class Decision(BaseModel):
    """An answer to a pause."""

    model_config = ConfigDict(extra="forbid")

    decision: str | None = Field(None, description="approved or rejected, for an approval.")
    data: Any = Field(None, description="Optional context data; an approval's form values.")


@router.get("/{workflow_id}/runs")
def list_runs(
    caller: Viewer,
    workflow_id: str,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """List an automation's runs, newest first."""
    found, total = runs.page(caller.workspace_id, workflow_id, page, page_size)
    return {
        "runs": [views.run(run) for run in found],
        "pagination": {
            "page": page,
            "pageSize": page_size,
            "total": total,
            "totalPages": -(-total // page_size),
        },
    }


@router.get("/{workflow_id}/runs/{run_id}")
def get_run(caller: Viewer, workflow_id: str, run_id: str) -> dict[str, Any]:
    """Get a run with its full state."""
    detail = runs.detail(caller.workspace_id, workflow_id, run_id)
    return {"run": views.run_detail(detail)}


@router.post("/runs/{run_id}/resume")
def resume(caller: Member, run_id: str, decision: Decision | None = None) -> dict[str, Any]:
    """Resume a paused run, once."""
    given = decision or Decision()
    run = decisions.resume(
        run_id,
        caller.workspace_id,
        decision=given.decision,
        data=given.data,
        by=caller.name,
    )
    return {"runId": run.id, "status": run.status}
