"""Handles the deletion of an automation's DAG in Airflow: brings it back, with its runs.

With the DAG all its DagRuns are gone. It is published again, and its runs begin once more there:
what their steps came to is known here, so that each goes on where it was.
"""

from __future__ import annotations

from datetime import datetime

from automations.db import locks
from automations.db.runs import runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run, Workflow
from automations.db.workflows import held_up, workflows
from automations.domain.statuses import UNFINISHED, Hold, RunStatus
from automations.domain.workflows import HeldUp
from automations.errors import Unreadable
from automations.services.audit import audit
from automations.services.runs import admission, replays


def recover(workflow_id: str, by: str, at: datetime) -> None:
    """Have an automation published again, and those of its runs go on that Airflow had by then.

    Args:
        by: who has deleted its DAG, as Airflow knows them.
        at: when.
    """
    # Several schedulers see it, each by itself.
    with locks.exclusive(f"recover {workflow_id}"):
        _recover(workflow_id, by, at)


def _recover(workflow_id: str, by: str, at: datetime) -> None:
    with unit_of_work() as session:
        workflow = workflows.by_id(session, workflow_id)
        # One that was deleted here, too, never comes back there; its runs are ended by a job.
        if workflow is None or workflow.deleted_at is not None:
            return
        if workflow.recovered_from is not None and workflow.recovered_from >= at:
            return  # Another scheduler, or one that has just begun, reads the same entries.
        actor = audit.Actor("airflow", by)
        audit.record(session, "workflow.republish", workflow, by=actor, name=workflow.name)
        workflows.republish(session, workflow_id)
        held_up.put(session, workflow_id, HeldUp(Hold.DELETED, by, at))
        lost = runs.in_flight(session, workflow_id, at)
    for run_id in lost:
        with unit_of_work() as session:
            _begin_again(session, session.get_one(Workflow, workflow_id), run_id, actor)
    # Last: whoever dies before has all of it done again.
    with unit_of_work() as session:
        workflows.note_recovery(session, workflow_id, at)


def _begin_again(session: Session, workflow: Workflow, run_id: str, by: audit.Actor) -> None:
    run = runs.lock_run(session, run_id)
    if run is None or run.status not in UNFINISHED:
        return
    why_not = _obstacle(session, workflow, run)
    if why_not is not None:
        error = f"Its DAG was deleted in Airflow by {by.name}, and the run with it: {why_not}."
        runs.end_run(session, run.id, RunStatus.FAILED, error)
        return
    if not runs.take_back(session, run.id):
        return
    if run.version != workflow.version:
        replays.move_to(session, run, workflow.version)
    admission.start(session, run)
    audit.record(session, "run.restart", run, by=by, workflowId=workflow.id)


def _obstacle(session: Session, workflow: Workflow, run: Run) -> str | None:
    """Why a run cannot begin once more in Airflow; None when it can."""
    if run.generation or run.reviving:
        return "steps of it had been cleared or retried, which a new DagRun knows nothing of"
    if run.version == workflow.version:
        return None
    try:
        reason = replays.obstacle_to(session, run, workflow.version)
    except Unreadable as unreadable:
        reason = unreadable.message
    return reason and f"it cannot go on by version {workflow.version}: {reason}"
