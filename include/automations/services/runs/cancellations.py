"""Cancels runs, and the runs that they have started."""

from __future__ import annotations

from automations.db.queue import jobs
from automations.db.runs import runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import JobKind, Run
from automations.domain.principals import Principal
from automations.domain.runs import RunSummary
from automations.domain.statuses import RunStatus
from automations.errors import Conflict, NotFound
from automations.kit.values import from_attributes
from automations.services.audit import audit
from automations.services.workflows.lookups import require_any

_BATCH_SIZE = 500
"""Runs that are looked for at once."""


def cancel(by: Principal, workflow_id: str, run_id: str) -> RunSummary:
    """Cancel a run that has not ended, with the runs that it has started.

    Airflow ends the DagRun a moment later; an effect that is being made meanwhile stays on record.

    Raises:
        NotFound: there is no such run.
        Conflict: it has ended.
    """
    with unit_of_work() as session:
        require_any(session, by.workspace_id, workflow_id)
        run = runs.lock_run(session, run_id)
        if run is None or run.workflow_id != workflow_id:
            raise NotFound(f"There is no run {run_id}.")
        if not end(session, run, f"Cancelled by {by.name}."):
            raise Conflict(f"The run has ended already: it is {run.status}.")
        session.refresh(run)
        audit.record(session, "run.cancel", run)
        return from_attributes(RunSummary, run)


def end_of_deleted(workflow_id: str) -> None:
    """Cancel what is in flight of an automation that was deleted, one run after the other.

    Each in a transaction of its own: one for thousands would hold up whatever ends meanwhile.
    """
    while True:
        with unit_of_work() as session:
            run_ids = runs.unfinished_ids(session, workflow_id, _BATCH_SIZE)
        if not run_ids:
            return
        for run_id in run_ids:
            with unit_of_work() as session:
                if (run := runs.lock_run(session, run_id)) is not None:
                    end(session, run, "The automation was deleted.")


def end(session: Session, run: Run, reason: str) -> bool:
    """Cancel a run with those that it has started; False when it has ended before."""
    if not runs.end_run(session, run.id, RunStatus.CANCELLED, reason):
        return False
    jobs.enqueue(session, JobKind.FAIL_RUN, run.id)
    return True
