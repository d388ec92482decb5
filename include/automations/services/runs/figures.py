"""Statistics of a period's runs, and of what waits now."""

from __future__ import annotations

from automations.db.runs import figures
from automations.db.session import reading
from automations.domain.figures import Figures, Period

MAX_RUNS = 20_000
"""So many take a tenth of a second, however many there are; 50,000 took a quarter of one."""
_MAX_FAILED = 2_000
_MAX_STEPS = 12


def compute(
    workspace_id: str, workflow_id: str | None, period: Period, limit: int = MAX_RUNS
) -> Figures:
    """The figures of a period.

    Args:
        workflow_id: None for those of all automations.
        limit: so many runs are counted, the newest.
    """
    with reading() as session:
        runs = figures.outcomes(session, workspace_id, workflow_id, period, limit)
        failing = figures.failing_steps(
            session,
            workspace_id,
            workflow_id,
            period,
            limit=limit,
            max_failed=_MAX_FAILED,
            max_steps=_MAX_STEPS,
        )
        waits = figures.waits(session, workspace_id, workflow_id, limit)
    return Figures(period, runs, runs.whole.runs >= limit, failing, waits)
