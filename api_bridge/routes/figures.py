"""Statistics of runs over time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query

from api_bridge.deps import Viewer
from api_bridge.routing import Router
from api_bridge.views import figures as views
from automations.domain.figures import period_named
from automations.kit import common_clock
from automations.services.runs import figures
from automations.services.workflows import overviews

router = Router(prefix="/api/figures", tags=["runs"])


@router.get("")
def get_figures(
    caller: Viewer,
    period: Literal["day", "week", "month", "quarter", "year"] = "week",
    until: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=10,
            description="The last day, such as 2026-01-31; by default today.",
        ),
    ] = None,
    workflow_id: Annotated[
        str | None,
        Query(alias="workflowId", max_length=100, description="Only runs of this automation."),
    ] = None,
) -> dict[str, Any]:
    """Count the results of the runs that began in a period, and what is waiting now.

    Never more than the newest 20000 runs of the time are counted: `countedSince` says since when,
    where there are more. `seconds` are of runs that have completed, from begin to end; `success` is
    the share, in per cent, of those that have ended by themselves; a failed run counts at the step
    that failed last. What waits is that of all unfinished runs, whenever they began.
    """
    if workflow_id is not None:
        overviews.get_one(caller.workspace_id, workflow_id)
    chosen_period = period_named(period, until or "", common_clock.now())
    computed = figures.compute(caller.workspace_id, workflow_id, chosen_period)
    return views.figures(computed, overviews.names(caller.workspace_id))
