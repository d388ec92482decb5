"""Runs: read, resume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api_bridge.bodies import Body
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.instants import Instant
from api_bridge.paging import PageNumber
from api_bridge.routing import Router
from api_bridge.views import pagination
from api_bridge.views import runs as views
from automations.domain.runs import RunFilter, TriggerType
from automations.domain.statuses import RunStatus
from automations.kit import common_clock
from automations.kit.canonical_json import sha256_of
from automations.kit.clock import timestamp
from automations.kit.storable import showable
from automations.services.runs import cancellations, reading, replays
from automations.services.waits import decisions

router = Router(prefix="/api/workflows", tags=["runs"])


class Decision(Body):
    """An answer to a pause."""

    decision: str | None = Field(None, description="approved or rejected, for an approval.")
    data: Any = Field(None, description="Optional context data; an approval's form values.")
    reason: str | None = Field(
        None, max_length=5_000, description="The reason for the decision, or for resuming now."
    )


class RunQuery(BaseModel):
    """Which of an automation's runs are asked for."""

    page: PageNumber = 1
    page_size: int = Field(20, alias="pageSize", ge=1, le=100)
    status: RunStatus | None = Field(None, description="Only runs of this status.")
    since: Instant | None = Field(None, description="Started at or after.")
    until: Instant | None = Field(None, description="Started before.")
    trigger_type: TriggerType | None = Field(
        None, alias="triggerType", description="Only runs with this trigger type."
    )
    cursor: str | None = Field(
        None,
        max_length=500,
        description="Instead of page: nextCursor of the previous answer; empty for the first "
        "page. Nothing is counted, so deep lists stay fast.",
    )

    def filter(self) -> RunFilter:
        """The same without which part of the list it is."""
        return RunFilter(self.status, self.since, self.until, self.trigger_type)


@router.get("/{workflow_id}/runs")
def list_runs(
    caller: Viewer, workflow_id: str, query: Annotated[RunQuery, Query()]
) -> dict[str, Any]:
    """List an automation's runs, newest first."""
    criteria, size = query.filter(), query.page_size
    if query.cursor is not None:
        items, following = reading.page_after(
            caller.workspace_id, workflow_id, criteria, query.cursor, size
        )
        return {
            "runs": [views.run(run) for run in items],
            "pagination": {"pageSize": size, "nextCursor": following},
        }
    items, total = reading.page(caller.workspace_id, workflow_id, criteria, query.page, size)
    return {
        "runs": [views.run(run) for run in items],
        "pagination": pagination.by_size(query.page, size, total),
    }


@router.get("/{workflow_id}/runs/export")
def export_runs(
    caller: Viewer,
    workflow_id: str,
    run_id: Annotated[str | None, Query(alias="runId", description="One run only.")] = None,
    cursor: Annotated[
        str | None,
        Query(max_length=500, description="nextCursor of the previous file."),
    ] = None,
) -> StreamingResponse:
    """Download the newest runs, or one, as a JSON file.

    A file has 500 runs at most. If there are more, it has a `nextCursor` for the next file.
    """
    export = reading.export(caller.workspace_id, workflow_id, run_id, cursor)
    name = f"runs-{run_id or workflow_id}.json"
    return StreamingResponse(
        _stream(caller.workspace_id, export),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _stream(workspace_id: str, export: reading.Export) -> Iterator[str]:
    """The export piece by piece, one run in memory at a time."""
    head = {
        "workflow": {"id": export.workflow_id, "name": export.workflow_name},
        "exportedAt": timestamp(common_clock.now()),
        "runCount": len(export.run_ids),
        **({"nextCursor": export.following} if export.following else {}),
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "runs": ['
    for position, run_id in enumerate(export.run_ids):
        detail = reading.detail(workspace_id, export.workflow_id, run_id)
        # Whole, or as far as it can be shown: the hash is of what is shown.
        run = showable(views.run_detail(detail))
        yield (", " if position else "") + json.dumps(
            {**run, "sha256": sha256_of(run)}, ensure_ascii=False
        )
    yield "]}"


@router.get("/{workflow_id}/runs/{run_id}")
def get_run(caller: Viewer, workflow_id: str, run_id: str) -> dict[str, Any]:
    """Get a run with its full state."""
    detail = reading.detail(caller.workspace_id, workflow_id, run_id)
    return {"run": views.run_detail(detail)}


@router.post("/{workflow_id}/runs/{run_id}/cancel")
def cancel_run(caller: Member, workflow_id: str, run_id: str) -> dict[str, Any]:
    """Cancel a run that has not ended, with the runs that it started."""
    run = cancellations.cancel(caller, workflow_id, run_id)
    return {"runId": run.id, "status": run.status}


class Selection(Body):
    """Which runs to replay."""

    status: RunStatus | None = Field(None, description="Only runs of this status.")
    since: Instant | None = Field(None, description="Started at or after.")
    until: Instant | None = Field(None, description="Started before.")
    trigger_type: TriggerType | None = Field(None, description="Only runs with this trigger type.")
    limit: int = Field(
        100, ge=1, le=replays.MAX_BATCH, strict=True, description="Number of entries, newest first."
    )


@router.post("/{workflow_id}/runs/replay")
def replay_runs(caller: Admin, workflow_id: str, selection: Selection) -> dict[str, Any]:
    """Replay the runs that match a filter, all or none; each is a new run."""
    criteria = RunFilter(selection.status, selection.since, selection.until, selection.trigger_type)
    started = replays.replay_many(caller, workflow_id, criteria, selection.limit)
    return {
        "replayed": len(started),
        "runs": [{"runId": run.id, "replayOf": run.replay_of_run_id} for run in started],
    }


@router.post("/{workflow_id}/runs/{run_id}/replay")
def replay_run(caller: Member, workflow_id: str, run_id: str) -> dict[str, Any]:
    """Start a new run of the newest version with the same input."""
    run = replays.replay(caller, workflow_id, run_id)
    return {
        "runId": run.id,
        "status": run.status,
        "startedAt": timestamp(run.started_at),
        "replayOf": run.replay_of_run_id,
    }


class RunRetry(Body):
    """How to continue a failed run."""

    version: Literal["original", "latest"] = Field(
        "original",
        description="On the run's own version, or on the newest, which must have the same steps "
        "up to the failed one; otherwise, 409 says what differs.",
    )


@router.post("/{workflow_id}/runs/{run_id}/retry", status_code=202)
def retry_run(
    caller: Member, workflow_id: str, run_id: str, how: RunRetry | None = None
) -> dict[str, Any]:
    """Continue a failed run at the step that failed."""
    latest = how is not None and how.version == "latest"
    run = replays.retry(caller.workspace_id, workflow_id, run_id, latest=latest)
    return {"runId": run.id, "status": run.status}


@router.post("/runs/{run_id}/resume")
def resume(caller: Member, run_id: str, decision: Decision | None = None) -> dict[str, Any]:
    """Resume a paused run, once."""
    answer = decision or Decision()
    run = decisions.resume(
        caller, run_id, decision=answer.decision, data=answer.data, reason=answer.reason
    )
    return {"runId": run.id, "status": run.status}
