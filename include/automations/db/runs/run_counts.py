"""The numbers of runs by status, kept up to date, so that nobody counts rows."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session

from automations.db.plain_rows import plain_rows
from automations.db.tables import RunCount
from automations.domain.statuses import RunStatus

_LOCK = 0x72756E63
_MAX_PARTS = 10_000
"""Of one summing-up: its transaction stays short, and the next one comes soon."""

# Made once: to make a statement costs as much as to ask it.
_BY_STATUS = (
    select(RunCount.status, func.sum(RunCount.runs))
    .where(
        RunCount.workspace_id == bindparam("workspace_id"),
        RunCount.workflow_id == bindparam("workflow_id"),
    )
    .group_by(RunCount.status)
)
_SUM_UP = text("""
WITH added AS (
    SELECT workspace_id, workflow_id, status FROM run_count
    WHERE NOT summed ORDER BY id LIMIT :most
), gone AS (
    DELETE FROM run_count part USING (SELECT DISTINCT * FROM added) touched
    WHERE part.workspace_id = touched.workspace_id
        AND part.workflow_id = touched.workflow_id
        AND part.status = touched.status
    RETURNING part.workspace_id, part.workflow_id, part.status, part.runs
), kept AS (
    INSERT INTO run_count (workspace_id, workflow_id, status, runs, summed)
    SELECT workspace_id, workflow_id, status, sum(runs), true FROM gone
    GROUP BY workspace_id, workflow_id, status HAVING sum(runs) <> 0
)
SELECT count(*) FROM gone
""")


def by_status(session: Session, workspace_id: str, workflow_id: str = "") -> dict[RunStatus, int]:
    """Numbers of runs by status, of an automation or, without one, of the whole workspace."""
    values = {"workspace_id": workspace_id, "workflow_id": workflow_id}
    rows = plain_rows(session, _BY_STATUS, values)
    return {status: int(runs) for status, runs in rows if runs}


def by_workflow(
    session: Session, workspace_id: str, workflow_ids: Collection[str]
) -> dict[str, dict[RunStatus, int]]:
    """Numbers of runs by status, of each of some automations."""
    rows = session.execute(
        select(RunCount.workflow_id, RunCount.status, func.sum(RunCount.runs))
        .where(RunCount.workspace_id == workspace_id, RunCount.workflow_id.in_(workflow_ids))
        .group_by(RunCount.workflow_id, RunCount.status)
    )
    counts: dict[str, dict[RunStatus, int]] = {}
    for workflow_id, status, runs in rows:
        if runs:
            counts.setdefault(workflow_id, {})[status] = int(runs)
    return counts


def compact(session: Session) -> int:
    """Replace parts by their sum, unless another process does it now; returns how many."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
        return 0
    return session.scalar(_SUM_UP, {"most": _MAX_PARTS}) or 0
