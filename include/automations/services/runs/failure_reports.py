"""Starts the error workflow of an automation when a run has failed."""

from __future__ import annotations

from automations.db.events.events import emit
from automations.db.runs import run_queries, runs
from automations.db.session import Session
from automations.db.tables import Run
from automations.definitions.triggers import error_key
from automations.domain.events import NewEvent
from automations.kit.clock import timestamp
from automations.kit.values import JSON
from automations.services.workflows.definitions import load

EVENT_TYPE = "RUN_FAILED"


def report(session: Session, run: Run, failure_id: int) -> None:
    """Put the failure of a run into the inbox, when its automation has an error workflow.

    Args:
        failure_id: tells one failure of a run from the next, after it was retried.
    """
    if run.trigger_type == runs.TEST:
        return
    loaded = load(session, run.workflow_id, run.version)
    target = loaded.definition.error_workflow_id
    if target is None:
        return
    failed = run_queries.find_failed_step(session, run.id)
    node = loaded.plan.nodes.get(failed.node_id) if failed else None
    data: dict[str, JSON] = {
        "runId": run.id,
        "workflowId": run.workflow_id,
        "workflowName": loaded.definition.name,
        "error": run.error,
        "stepId": node.id if node else None,
        "stepName": node.step.name if node else None,
        "stepType": node.step.type if node else None,
        "failedAt": timestamp(run.completed_at) if run.completed_at else None,
    }
    emit(
        session,
        run.workspace_id,
        NewEvent(
            kind=EVENT_TYPE,
            trigger_key=error_key(target),
            data=data,
            cause=run.id,
            # With a blank, which no event from outside may have in its source.
            source=f"run {run.id}",
            external_id=str(failure_id),
        ),
    )
