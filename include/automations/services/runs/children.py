"""Runs started by runs: implements the port ``ChildRuns`` with our own database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from automations.db.runs import effects, run_steps, runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import Session, unit_of_work
from automations.db.tables import Run
from automations.db.workflows import workflows
from automations.domain.statuses import UNFINISHED, WorkflowStatus
from automations.errors import Conflict, RateLimited, StepError, ValidationFailed
from automations.ports import ChildResult
from automations.services.runs.starting import MAX_CHAIN_DEPTH, start_run
from automations.services.workflows.definitions import load


class StartedRuns:
    """Child runs of the same workspace."""

    def start(
        self,
        parent_run_id: str,
        workflow_id: str,
        input_data: Mapping[str, Any],
        key: str,
        *,
        awaited: bool,
    ) -> str:
        with unit_of_work() as session:
            # A step that is done once more after a crash goes on with the child that it has.
            started = effects.once(
                session,
                key,
                lambda: _start(session, parent_run_id, workflow_id, input_data, awaited),
            )
        return str(started["runId"])

    def result(self, run_id: str) -> ChildResult:
        with unit_of_work() as session:
            run = session.get_one(Run, run_id)
            nodes = load(session, run.workflow_id, run.version).plan.nodes
            outputs = {
                nodes[node].step.name: output
                for node, output in run_steps.outputs(session, run_id).items()
                if node in nodes
            }
            return ChildResult(run.id, run.status, outputs, run.error)


def _start(
    session: Session,
    parent_run_id: str,
    workflow_id: str,
    input_data: Mapping[str, Any],
    awaited: bool,
) -> dict[str, str]:
    # Locked, so that whoever ends the parent sees this child, or is seen here.
    parent = runs.lock_run(session, parent_run_id)
    if parent is None or parent.status not in UNFINISHED:
        raise StepError("The run has ended and starts no other.", kind="ended")
    workflow = workflows.find(session, parent.workspace_id, workflow_id)
    if workflow is None:
        raise StepError(f"There is no automation {workflow_id}.", kind="config")
    if workflow.status == WorkflowStatus.ARCHIVED:
        raise StepError("An archived automation cannot be run.", kind="config")
    if parent.depth >= MAX_CHAIN_DEPTH:
        raise StepError(
            f"Automations that run each other end after {MAX_CHAIN_DEPTH} runs.", kind="config"
        )
    new = NewRun(
        trigger_type="workflow",
        trigger_data={"parentRunId": parent.id},
        input=dict(input_data),
        started_by=parent.started_by,
        starters=parent.starters,
        depth=parent.depth + 1,
        parent_run_id=parent.id,
        awaited=awaited,
    )
    try:
        child = start_run(session, workflow, new)
    except (ValidationFailed, Conflict) as problem:
        raise StepError(problem.message, kind="config") from problem
    except RateLimited as limited:
        raise StepError(
            limited.message,
            kind="rate_limited",
            retryable=True,
            retry_after=timedelta(seconds=limited.retry_after),
        ) from limited
    if child is None:
        raise StepError("The child run exists already.")
    return {"runId": child.id}
