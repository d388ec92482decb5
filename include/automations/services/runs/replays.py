"""Replays: a new run with the same input, or a retry of the same run from where it failed."""

from __future__ import annotations

from collections.abc import Sequence

from automations.db.queue import jobs
from automations.db.runs import run_queries, run_steps, runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import Session, unit_of_work
from automations.db.tables import JobKind, Run, Workflow
from automations.db.workflows import versions, workflows
from automations.definitions.compatibility import obstacle
from automations.domain import people
from automations.domain.principals import Principal
from automations.domain.runs import RunFilter, RunSummary
from automations.domain.statuses import RunStatus, StepStatus, WorkflowStatus
from automations.errors import Conflict, NotFound
from automations.kit.values import from_attributes
from automations.services.audit import audit
from automations.services.runs import admission
from automations.services.runs.by_hand import ARCHIVED
from automations.services.runs.starting import start_run
from automations.services.workflows.definitions import load
from automations.services.workflows.lookups import require, require_any

MAX_BATCH = 500
"""Runs of one request, which start in one transaction: all of them, or none."""


def replay(by: Principal, workflow_id: str, run_id: str) -> RunSummary:
    """Start a new run of the newest version with the input of an earlier run.

    Raises:
        NotFound: there is no such run.
        Conflict: the automation is archived or deleted.
    """
    with unit_of_work() as session:
        workflow = _startable(session, by.workspace_id, workflow_id)
        run = run_queries.find(session, workflow_id, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        if run.trigger_type == runs.TEST:
            raise Conflict("A test of a step cannot be replayed; test the step again.")
        return _replay(session, workflow, run, by)


def replay_many(
    by: Principal, workflow_id: str, criteria: RunFilter, limit: int
) -> Sequence[RunSummary]:
    """Replay the newest runs that fit a filter, all or none, in their original order."""
    with unit_of_work() as session:
        workflow = _startable(session, by.workspace_id, workflow_id)
        # One request at a time: otherwise two could deadlock on the keys of limits.
        workflows.lock(session, workflow.id)
        newest = run_queries.newest(session, workflow_id, criteria, limit, without=runs.TEST)
        return [_replay(session, workflow, run, by) for run in reversed(newest)]


def retry(workspace_id: str, workflow_id: str, run_id: str, *, latest: bool = False) -> RunSummary:
    """Let a failed run go on from the step that failed.

    Args:
        latest: with the newest version instead of the one that it had.

    Raises:
        NotFound: there is no such run.
        Conflict: it has not failed, or cannot go on with the newest version; the message says why.
    """
    with unit_of_work() as session:
        workflow = require_any(session, workspace_id, workflow_id)
        run = runs.lock_run(session, run_id)
        if run is None or run.workflow_id != workflow_id:
            raise NotFound(f"There is no run {run_id}.")
        if run.trigger_type == runs.TEST:
            raise Conflict("A test of a step cannot be retried; test the step again.")
        kind, other = JobKind.RETRY_RUN, JobKind.RETRY_LATEST
        if latest:
            kind, other = other, kind
        if run.reviving and jobs.is_queued(session, other, run.id):
            raise Conflict("The run is being retried on another version already.")
        if run.reviving:
            return from_attributes(RunSummary, run)
        if run.status != RunStatus.FAILED:
            raise Conflict(f"Only a FAILED run can be retried; this one is {run.status}.")
        if latest:
            _check_latest(session, workflow, run)
        if runs.reopen(session, run.id):
            # Nothing of it was done, so that retrying it means starting it.
            session.refresh(run)
            if latest:
                move_to(session, run, workflow.version)
            admission.enqueue(session, run)
        else:
            # From here on the run counts as running, however long Airflow is away.
            runs.revive(session, run.id)
            session.refresh(run)
            _tell_airflow(session, run, kind, workflow.version if latest else run.version)
        version = workflow.version if latest else run.version
        audit.record(session, "run.retry", run, workflowId=workflow_id, version=version)
        return from_attributes(RunSummary, run)


def _tell_airflow(session: Session, run: Run, kind: JobKind, version: int) -> None:
    """Have Airflow go on with a failed run, or have the run brought there first."""
    if run.dispatched_at is None:
        # The job that was to bring it there may have been given up.
        admission.bring(session, run)
        if all(row.status != StepStatus.FAILED for row in run_steps.rows(session, run.id)):
            # None of its tasks will fail there, so that retrying it means bringing it there.
            runs.mark_revived(session, run.id)
            move_to(session, run, version)
            return
    jobs.enqueue(session, kind, run.id)


def prepare_for(run_id: str, version: int) -> bool:
    """Prepare a run that is being retried for a version; if it cannot go on with it, it fails."""
    with unit_of_work() as session:
        run = runs.lock_run(session, run_id)
        if run is None or not run.reviving:
            return False
        reason = obstacle_to(session, run, version)
        if reason is not None:
            reason = f"It could not be retried on version {version}: {reason}."
            runs.end_run(session, run.id, RunStatus.FAILED, reason)
            return False
        move_to(session, run, version)
        return True


def _check_latest(session: Session, workflow: Workflow, run: Run) -> None:
    if workflow.status == WorkflowStatus.ARCHIVED:
        raise Conflict("An archived automation has no newest version to retry a run on.")
    reason = obstacle_to(session, run, workflow.version)
    if reason is not None:
        raise Conflict(
            f"The run cannot go on by version {workflow.version}: {reason}. "
            "Retry it on its original version, or replay it."
        )


def obstacle_to(session: Session, run: Run, version: int) -> str | None:
    """Why a run cannot go on with a version; None if it can."""
    before = load(session, run.workflow_id, run.version).plan
    after = load(session, run.workflow_id, version).plan
    return obstacle(before, after, run_steps.settled_nodes(session, run.id))


def move_to(session: Session, run: Run, version: int) -> None:
    """Move a run that stands still to a version; its variables keep their current values."""
    run.version = version
    stored = versions.definition(session, run.workflow_id, version) or {}
    run.variables = {**stored.get("variables", {}), **run.variables}


def _startable(session: Session, workspace_id: str, workflow_id: str) -> Workflow:
    workflow = require(session, workspace_id, workflow_id)
    if workflow.status == WorkflowStatus.ARCHIVED:
        raise Conflict(ARCHIVED)
    return workflow


def _replay(session: Session, workflow: Workflow, run: Run, by: Principal) -> RunSummary:
    new = NewRun(
        trigger_type=run.trigger_type,
        trigger_data=run.trigger_data,
        input=run.input,
        started_by=by.name,
        # Includes those who started it first, since decisions are about what they entered.
        starters=list(dict.fromkeys([*run.starters, people.identity_of(by)])),
        replay_of=run.id,
    )
    new_run = start_run(session, workflow, new)
    if new_run is None:
        raise Conflict("The run exists already.")
    audit.record(session, "run.replay", run, workflowId=workflow.id, runId=new_run.id)
    return from_attributes(RunSummary, new_run)
