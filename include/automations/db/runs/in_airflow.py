"""Runs that are active in Airflow: handed over, not ended, and not parked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from automations.domain.statuses import RunStatus, StepStatus, WaitStatus

_STUCK_AFTER = timedelta(minutes=5)
"""A run in which nothing has happened for so long is held up by something else than its turn: its
DAG is paused in Airflow, or broken. It must not hold up those of other automations."""

_THERE = f"""
FROM run
WHERE status = '{RunStatus.RUNNING}' AND dispatched_at IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM wait WHERE wait.run_id = run.id AND wait.status = '{WaitStatus.OPEN}'
    )
    AND (
        dispatched_at > statement_timestamp() - :stuck
        OR EXISTS (
            SELECT FROM run_step step
            WHERE step.run_id = run.id AND (
                step.status = '{StepStatus.RUNNING}'
                OR greatest(step.started_at, step.ended_at) > statement_timestamp() - :stuck
            )
        )
    )
"""  # noqa: S608 -- the statuses are ours

_COUNT = text(f"SELECT count(*) {_THERE}")
# In one round trip, and without touching the runs unless their number is wanted.
_COUNT_FOR_DUE = text(f"""
SELECT due.any, there.workflow_id, there.runs FROM (
    SELECT EXISTS (
        SELECT FROM job WHERE kind = ANY (CAST(:kinds AS text[])) AND lane IS NOT NULL
    ) OR EXISTS (
        SELECT FROM job
        WHERE kind = ANY (CAST(:kinds AS text[])) AND lane IS NULL AND dead_at IS NULL
            AND available_at <= statement_timestamp()
    ) AS any
) due LEFT JOIN LATERAL (
    SELECT workflow_id, count(*) AS runs {_THERE} AND due.any GROUP BY workflow_id
) there ON true
""")  # noqa: S608 -- the statement above


def count(session: Session) -> int:
    """How many they are."""
    return int(session.scalar(_COUNT, {"stuck": _STUCK_AFTER}) or 0)


def count_for_due(session: Session, kinds: Collection[str]) -> dict[str, int] | None:
    """How many each automation has there when a job of these kinds is due.

    Returns:
        None, and nothing is counted, when none is.
    """
    rows = session.execute(_COUNT_FOR_DUE, {"stuck": _STUCK_AFTER, "kinds": list(kinds)}).all()
    if not rows[0].any:
        return None
    return {row.workflow_id: row.runs for row in rows if row.workflow_id is not None}
